import {
  CryptoError,
  parseEnvelopeHeader,
  unsealMessage,
  verifyRuns,
  type GroupId,
  type RunVerdict,
  type UnverifiedMessage,
} from '@keytide/crypto-core';
import type { EpochRing, KeylessReason } from './epoch-ring.ts';

/** What an envelope is, before its sender's chain is looked at: a message with its verdict, or why it is none. */
export type Examined =
  | { readonly message: UnverifiedMessage; readonly verdict: RunVerdict }
  | { readonly message: null; readonly reason: KeylessReason | CryptoError };

/** Unseals envelopes of one window of the group's log, in its order, and authenticates them by runs. */
export function examineEnvelopes(
  epochs: EpochRing,
  group: GroupId,
  envelopes: readonly Uint8Array[],
): Examined[] {
  const unsealed = envelopes.map((envelope) => unsealOrReason(epochs, group, envelope));
  const verdicts = verifyRuns(unsealed.filter(isMessage)).values();
  return unsealed.map((result) =>
    isMessage(result)
      ? { message: result, verdict: verdicts.next().value as RunVerdict }
      : { message: null, reason: result },
  );
}

function unsealOrReason(
  epochs: EpochRing,
  group: GroupId,
  envelope: Uint8Array,
): UnverifiedMessage | KeylessReason | CryptoError {
  try {
    const header = parseEnvelopeHeader(envelope);
    if (header.group !== group) return 'tampered';
    const keys = epochs.keysOf(header.epoch);
    return typeof keys === 'string' ? keys : unsealMessage(keys, envelope);
  } catch (error) {
    if (error instanceof CryptoError) return error;
    throw error;
  }
}

function isMessage(result: UnverifiedMessage | KeylessReason | CryptoError): result is UnverifiedMessage {
  return typeof result !== 'string' && !(result instanceof CryptoError);
}
