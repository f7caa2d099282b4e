import { equalBytes } from './bytes.ts';
import type { SealingRecord } from './device-record.ts';
import { CryptoError } from './errors.ts';
import { sorted } from './sorted.ts';

/** The times of an organisation's policy that sealing keys live by, in milliseconds. */
export interface SealingTimes {
  /** How long a block lasts, and at most a sealing key. */
  readonly blockMs: number;
  /** X. */
  readonly retentionMs: number;
  /** How long after its newest key has ended a device still receives keys. */
  readonly graceMs: number;
}

/** The key to seal to, or that a device has been silent for too long and receives no new epochs until it publishes a key. */
export type SealingChoice =
  | { readonly kind: 'in-force' | 'grace'; readonly record: SealingRecord }
  | { readonly kind: 'silent'; readonly code: 'sealing-key-expired'; readonly sinceMs: number };

/**
 * Checks that a sealing record may follow those that its device has published, oldest first
 * (docs/spec/keys-and-sealing.md, "Life of a sealing key"). Its signature is for `verifySealingRecord`.
 * @param publishedMs the time of the entry that publishes it
 * @throws CryptoError `wrong-context` (another device), `bad-key` (a public key that was used before),
 * `bad-validity` (overlaps the one before, backdated, longer than a block, or starts more than a block ahead)
 */
export function requireNextSealingRecord(
  records: readonly SealingRecord[],
  next: SealingRecord,
  publishedMs: number,
  { blockMs }: SealingTimes,
): void {
  const last = records[records.length - 1];
  if (last !== undefined && last.device !== next.device)
    throw new CryptoError('wrong-context', 'a sealing record of another device');
  if (records.some(({ publicKey }) => equalBytes(publicKey, next.publicKey)))
    throw new CryptoError('bad-key', 'a sealing key is published once');
  const { notBeforeMs, notAfterMs } = next;
  // A new device has made its first record before somebody lets it in.
  const earliestMs = last === undefined ? publishedMs - blockMs : Math.max(publishedMs, last.notAfterMs);
  if (notBeforeMs < earliestMs || notBeforeMs > publishedMs + blockMs)
    throw new CryptoError('bad-validity', 'a sealing key starts after the one before, and within a block');
  if (notAfterMs <= notBeforeMs || notAfterMs - notBeforeMs > blockMs)
    throw new CryptoError('bad-validity', 'a sealing key lasts at most a block');
}

/**
 * The key to which a device's box is sealed in an epoch made at `atMs` (the statement's `created`): the newest
 * that has started, in force or within the grace. Whoever has the same log chooses the same.
 * @param records the device's, oldest first, at least one. Before the first has started, which is a difference
 *   of clocks, the first is chosen
 */
export function sealingRecordAt(
  records: readonly [SealingRecord, ...SealingRecord[]],
  atMs: number,
  { graceMs }: SealingTimes,
): SealingChoice {
  let [record] = records;
  for (const later of records) if (later.notBeforeMs <= atMs) record = later;
  const { notAfterMs } = record;
  if (atMs < notAfterMs) return { kind: 'in-force', record };
  if (atMs < notAfterMs + graceMs) return { kind: 'grace', record };
  return { kind: 'silent', code: 'sealing-key-expired', sinceMs: notAfterMs };
}

/** Records that a box is tried with at most. */
const MOST_TRIED = 4;

/**
 * The records of a device whose key a box of an epoch made at `atMs` can be sealed to, the likeliest first, at
 * most 4: that of `sealingRecordAt`, then those before it, which an author chooses who has not seen the newest.
 * @param records the device's, oldest first
 */
export function boxRecordsAt(records: readonly SealingRecord[], atMs: number): readonly SealingRecord[] {
  const started = records.filter(({ notBeforeMs }, index) => index === 0 || notBeforeMs <= atMs);
  return sorted(started.slice(-MOST_TRIED), (a, b) => b.notBeforeMs - a.notBeforeMs);
}

/** A box that a device knows of: sealed to which of its keys, and when its epoch's block ends. */
export interface AddressedBox {
  /** X-Wing, 1216 bytes. */
  readonly publicKey: Uint8Array;
  readonly endMs: number;
}

/** Input of `sealingKeysToDelete`. */
export interface SealingKeysInput extends SealingTimes {
  /** This device's published records, oldest first. */
  readonly records: readonly SealingRecord[];
  /** Boxes addressed to this device whose epoch keys it does not hold. */
  readonly unopened: readonly AddressedBox[];
  /** Up to when this device knows all that the relay has: its records, and the boxes addressed to it. */
  readonly syncedMs: number;
  readonly nowMs: number;
}

/**
 * The records whose secrets MUST be deleted now, and not before: those to which nobody seals any more and whose
 * boxes are all opened or expired; and those that open a box which has expired, by the earliest that one can be. Run
 * it on every tick, after what can be opened has been.
 */
export function sealingKeysToDelete(input: SealingKeysInput): SealingRecord[] {
  const { records, unopened, retentionMs, blockMs, graceMs, syncedMs, nowMs } = input;
  return records.filter((record, index) => {
    const successor = records[index + 1];
    const endMs = record.notAfterMs + graceMs;
    const lastUseMs = successor === undefined ? endMs : Math.min(endMs, successor.notBeforeMs);
    // A block more: an author may have seen the log as it was, and the relay may take its time.
    const closedMs = lastUseMs + blockMs;
    if (nowMs >= firstBlockEndMs(record, blockMs) + retentionMs) return true;
    if (syncedMs < closedMs) return false;
    return !unopened.some(
      (box) => nowMs < box.endMs + retentionMs && equalBytes(box.publicKey, record.publicKey),
    );
  });
}

/**
 * When the block ends of the first epoch that the key can be for. Of a key from when blocks were longer, only its last
 * block counts: it is not to go while it is in force.
 */
function firstBlockEndMs({ notBeforeMs, notAfterMs }: SealingRecord, blockMs: number): number {
  const fromMs = Math.max(notBeforeMs, notAfterMs - blockMs);
  return (Math.floor(fromMs / blockMs) + 1) * blockMs;
}
