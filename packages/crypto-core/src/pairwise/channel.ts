import { CryptoError } from '../errors.ts';
import type { KeyStoreChange } from '../key-store.ts';

/** The longest plaintext of one pairwise message: 60 KiB. */
export const MAX_PAIRWISE_BYTES: number = 60 * 1024;

/**
 * Says what else is written in the one batch that makes a seal or an open durable: the wire bytes into an
 * outbox, the plaintext (or what it brings, such as keys) to where it is kept. Whatever is not kept is lost if
 * the process ends right then. A throw leaves everything as if the call had not been made. It must not wait for
 * another act of this device's channels: that one waits until this one is over.
 */
export type Keep = (bytes: Uint8Array) => readonly KeyStoreChange[] | Promise<readonly KeyStoreChange[]>;

/**
 * Messages from this device to one other and back, over a relay that may lose, repeat, reorder and alter them:
 * docs/spec/pairwise.md. Each message is opened at most once, and only as it was sealed.
 */
export interface PairwiseChannel {
  readonly kind: PairwiseKind;
  /**
   * Seals up to `MAX_PAIRWISE_BYTES`; when it resolves, its state and what `keep` says are durable.
   * @param keep is given the wire bytes, which the relay may see
   * @throws CryptoError `too-large`; whatever the store or `keep` throw; with a session also, of the peer's pre-keys,
   * `stale-bundle`, `bad-key`, `bad-signature`, `wrong-context`, `malformed`, `unsupported-version`, and whatever
   * fetching them throws
   */
  seal(plaintext: Uint8Array, keep: Keep): Promise<Uint8Array>;
  /**
   * Opens a message of the peer and gives its plaintext, as it was given to `keep`.
   * @throws CryptoError `replayed`, `decryption-failed`, `bad-signature`, `wrong-context`, `malformed`, `too-large`,
   * `unsupported-version`, `downgraded`, `ability-missing`; with a session also `session-lost`
   */
  open(wire: Uint8Array, keep: Keep): Promise<Uint8Array>;
}

/** How two devices talk: in sealed boxes, or in libsignal sessions. */
export type PairwiseKind = 'box' | 'session';

/** @throws CryptoError `too-large` */
export function checkPlaintextSize(plaintext: Uint8Array): void {
  if (plaintext.length > MAX_PAIRWISE_BYTES)
    throw new CryptoError('too-large', `a pairwise message has at most ${MAX_PAIRWISE_BYTES} bytes`);
}
