import { deviceIdOf, signBytes, type Primitives, type Signer } from '@keytide/crypto-core';
import { assertAdmissible } from '../admission.ts';
import type { EntryBody } from '../entry-body.ts';
import { encodeEntry, encodeEntryWire, parseEntry, type EntryFields } from '../entry.ts';
import { judge, judgeProposal } from '../judge.ts';
import type { DirectoryState } from '../state.ts';

/** Who writes an entry, on what, and when. */
export interface WriteContext {
  readonly primitives: Primitives;
  /** The verified log as the author knows it; its head is what the entry continues. */
  readonly state: DirectoryState;
  /** The author's device key. */
  readonly signer: Signer;
  /** Milliseconds since 1970; moved forward to the newest entry's time where that is later. */
  readonly nowMs: number;
  /**
   * Let approvals be missing: what comes back is a proposal for `approveEntry` and `withApprovals`. Nobody takes
   * it before it has them.
   */
  readonly asProposal?: boolean;
}

/**
 * Signs an entry WITHOUT asking the rules: for tests, and as the one place where entries are signed.
 * The author is the signer's device. Returns the wire.
 * @throws CryptoError `malformed` for fields that CBOR cannot carry
 */
export function signEntry(
  primitives: Primitives,
  signer: Signer,
  fields: Omit<EntryFields, 'author'>,
): Uint8Array {
  const device = deviceIdOf(primitives, signer.publicKey);
  const bytes = encodeEntry({ ...fields, author: device });
  return encodeEntryWire(bytes, [
    { device, signature: signBytes(primitives, signer, 'entrySignature', bytes) },
  ]);
}

/** Writes an entry that continues `state`. @throws DirectoryError with which the rules would refuse it */
export function writeEntry(context: WriteContext, body: EntryBody): Uint8Array {
  const { primitives, state, signer, nowMs } = context;
  const wire = signEntry(primitives, signer, {
    org: state.org,
    index: state.size,
    previousHash: state.headHash,
    timeMs: Math.max(nowMs, state.timeMs),
    body,
  });
  const entry = parseEntry(primitives, wire);
  assertAdmissible(state, entry, nowMs);
  if (context.asProposal === true) judgeProposal(primitives, state, entry);
  else judge(primitives, state, entry);
  return wire;
}
