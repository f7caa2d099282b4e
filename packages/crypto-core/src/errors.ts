/** Every code a `CryptoError` can carry; `docs/spec/errors.md` says what each means and what a person can do. */
export type CryptoErrorCode =
  | 'malformed' // bytes that are not what the specification says
  | 'too-large' // over the size limit of that format
  | 'unsupported-version' // a version or suite this build does not know
  | 'bad-key' // a key that is the wrong length, non-canonical or of small order
  | 'bad-signature'
  | 'decryption-failed' // wrong key or altered bytes; never says which
  | 'commitment-mismatch' // the opened key is not the key the statement committed to
  | 'recipients-mismatch' // the statement's recipient set is not the one computed from the log
  | 'wrong-context' // a valid object of another organisation, group, epoch or author
  | 'not-a-recipient' // the sender is not a recipient of the epoch it writes in
  | 'replayed' // a counter already used by this sender
  | 'out-of-order' // an older message of this sender delivered after a newer one
  | 'chain-broken' // the message does not continue this sender's chain
  | 'expired' // an ephemeral frame that was sent too long ago
  | 'clock-ahead' // an ephemeral frame from a clock that is ahead
  | 'too-many-sessions' // more ephemeral sessions than a receiver remembers
  | 'bad-validity' // a sealing record whose times do not follow the one before
  | 'disposed' // a secret used after it was wiped
  | 'wrong-passphrase' // the vault does not open with this passphrase
  | 'vault-damaged' // the vault's bytes are damaged
  | 'vault-locked' // another process holds the vault
  | 'vault-missing' // there is no vault at this place
  | 'device-key-lost' // the platform no longer has the key that this device's vault needs
  | 'storage-full' // no room for the batch; nothing was changed
  | 'unlock-share-needed' // the vault needs an unlock share and got none, or the other way round
  | 'truncated' // an attachment ended before its last chunk
  | 'content-mismatch' // an attachment's ciphertext is not the one its sender described
  | 'unsupported-runtime' // the runtime lacks what the call is made of
  | 'downgraded' // a sealed box where the devices' records call for a session
  | 'ability-missing' // a session where a device's record says that it has none
  | 'session-lost' // the sender signed it, and no session here opens it
  | 'reset-limited' // the peer asks for a fresh session too soon after the last
  | 'stale-bundle' // pre-keys that are too old, or older than ones seen before
  | 'bad-share-index' // a share of number 0, or above the number of shares
  | 'duplicate-share' // a share that is there already
  | 'poisoned-share' // a share that is not the one its dealer made
  | 'mistyped-share' // a printed share that was not typed as it is printed
  | 'too-few-shares'; // fewer good shares than the secret needs

/** The one error class of this package. `code` is stable; the message is for people and never holds a secret. */
export class CryptoError extends Error {
  override readonly name = 'CryptoError';
  readonly code: CryptoErrorCode;

  constructor(code: CryptoErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
