import { InvalidArgumentError } from 'commander';

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const MAX_MS = 365 * UNIT_MS.d;

/** Milliseconds of a duration such as `90s`, `30m`, `24h` or `7d`; up to 365 days. @throws InvalidArgumentError */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const ms = match === null ? 0 : Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  if (ms <= 0 || ms > MAX_MS) throw new InvalidArgumentError('Use a number and s, m, h or d, such as 24h.');
  return ms;
}
