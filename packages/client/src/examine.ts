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
  | { readonly epoch: number; readonly message: UnverifiedMessage; readonly verdict: RunVerdict }
  | { readonly epoch: number | null; readonly message: null; readonly reason: KeylessReason | CryptoError };

/** Unseals envelopes of one window of the group's log, in its order, and authenticates them by runs. */
export function examineEnvelopes(
  epochs: EpochRing,
  group: GroupId,
  envelopes: readonly Uint8Array[],
): Examined[] {
  const unsealed = envelopes.map((envelope) => unsealOrReason(epochs, group, envelope));
  const verdicts = verifyRuns(unsealed.map(({ result }) => result).filter(isMessage)).values();
  return unsealed.map(({ epoch, result }) =>
    isMessage(result)
      ? { epoch: epoch as number, message: result, verdict: verdicts.next().value as RunVerdict }
      : { epoch, message: null, reason: result },
  );
}

/** An envelope that was looked into, and the epoch that it names. */
interface Unsealed {
  readonly epoch: number | null;
  readonly result: UnverifiedMessage | KeylessReason | CryptoError;
}

function unsealOrReason(epochs: EpochRing, group: GroupId, envelope: Uint8Array): Unsealed {
  let epoch: number | null = null;
  try {
    const header = parseEnvelopeHeader(envelope);
    if (header.group !== group) return { epoch, result: 'tampered' };
    ({ epoch } = header);
    const keys = epochs.keysOf(epoch);
    return { epoch, result: typeof keys === 'string' ? keys : unsealMessage(keys, envelope) };
  } catch (error) {
    if (error instanceof CryptoError) return { epoch, result: error };
    throw error;
  }
}

function isMessage(result: UnverifiedMessage | KeylessReason | CryptoError): result is UnverifiedMessage {
  return typeof result !== 'string' && !(result instanceof CryptoError);
}
