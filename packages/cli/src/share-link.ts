import { renderUnicodeCompact } from 'uqr';
import type { Context } from './context.ts';
import { clockTime, isoTime } from './timestamps.ts';

/** How an invite is shown. */
export interface ShareOptions {
  /** How long it is valid, in milliseconds. */
  readonly valid: number;
  /** Also as a QR code, beside the link on stderr. */
  readonly qr?: true;
}

/** Makes an invite and prints its link, which is a secret until it is used. */
export async function shareLink(
  { output }: Context,
  { valid, qr }: ShareOptions,
  what: object,
  make: () => Promise<string>,
): Promise<void> {
  const nowMs = Date.now();
  const expiresMs = nowMs + valid;
  const link = await make();
  output.result({ link, ...what, expires: isoTime(expiresMs) }, [link]);
  // On a light and on a dark terminal alike: a scanner reads both ways, and the border is part of it.
  if (qr) for (const line of renderUnicodeCompact(link, { border: 2 }).split('\n')) output.note(line);
  output.note(
    `Works once, until ${clockTime(expiresMs, nowMs)}. Whoever has it can join: send it over a channel you trust.`,
  );
}
