import { CryptoError } from '../errors.ts';
import type { Primitives, Verifier } from '../primitives.ts';
import {
  verifyBundle,
  verifyOneTimePreKey,
  type BundleOwner,
  type OneTimePreKeyFields,
  type PreKeyBundleFields,
} from './bundle.ts';

/** What the relay answers when asked for a device's pre-keys. */
export interface PreKeyOffer {
  readonly bundle: Uint8Array;
  /** One pair, given to nobody else; `null` when it has none left. */
  readonly oneTime: Uint8Array | null;
}

/** An offer whose every key the device has signed. */
export interface VerifiedOffer {
  readonly bundle: PreKeyBundleFields;
  readonly oneTime: OneTimePreKeyFields | null;
}

/**
 * Checks an offer, and that its bundle is in force and not older than one seen before.
 * @throws CryptoError `stale-bundle`, and as `verifyBundle`
 */
export function verifyOffer(
  primitives: Primitives,
  verifier: Verifier,
  owner: BundleOwner,
  offer: PreKeyOffer,
  time: { readonly nowMs: number; readonly seenMs: number },
): VerifiedOffer {
  const bundle = verifyBundle(primitives, verifier, owner, offer.bundle);
  if (bundle.createdMs < time.seenMs || bundle.notAfterMs <= time.nowMs)
    throw new CryptoError('stale-bundle', 'a bundle that is too old, or older than one seen before');
  const { oneTime } = offer;
  return {
    bundle,
    oneTime: oneTime === null ? null : verifyOneTimePreKey(primitives, verifier, owner, oneTime),
  };
}
