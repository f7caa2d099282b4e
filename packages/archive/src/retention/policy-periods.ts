import type { Primitives } from '@keytide/crypto-core';
import { parseEntry, type Policy } from '@keytide/key-directory';
import type { LedgerDirectory } from './material.ts';

/** A policy, and the time for which it was in force. */
export interface PolicyPeriod {
  readonly policy: Policy;
  /** The entry of the membership log that set it. */
  readonly index: number;
  readonly fromMs: number;
  /** `Infinity` for the present one. */
  readonly untilMs: number;
}

/** How far two clocks may be apart and still say the same (docs/spec/floor.md). */
export const CLOCKS_MS = 600_000;

/** Every policy that there was, the oldest first: by the times of the entries, which never run backwards. */
export function policyPeriods(primitives: Primitives, directory: LedgerDirectory): readonly PolicyPeriod[] {
  const set = directory.wires(0).flatMap((wire, index) => {
    const { body, timeMs } = parseEntry(primitives, wire);
    return 'policy' in body ? [{ policy: body.policy, index, fromMs: timeMs }] : [];
  });
  return set.map((period, place) => ({ ...period, untilMs: set[place + 1]?.fromMs ?? Infinity }));
}

/** Whether what was written from `startMs` on was older than Y at `atMs`, while this policy was in force. */
export function isOverBy({ policy, fromMs, untilMs }: PolicyPeriod, startMs: number, atMs: number): boolean {
  const lastMs = Math.min(untilMs, atMs) + CLOCKS_MS;
  return fromMs <= lastMs && startMs + policy.exportSeconds * 1000 <= lastMs;
}
