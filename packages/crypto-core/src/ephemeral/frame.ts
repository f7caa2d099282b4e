import { concatBytes, copyBytes, equalBytes, uint32Bytes } from '../bytes.ts';
import { requireSender, type EpochKeys } from '../epoch-keys.ts';
import { CryptoError } from '../errors.ts';
import { labelledHash } from '../hash.ts';
import type { DeviceId } from '../ids.ts';
import { labelled } from '../labels.ts';
import { padRoom, unpad } from '../padme.ts';
import type { Signer } from '../primitives.ts';
import type { EpochSender } from '../sender-table.ts';
import { bodyBytes, readBody, type EphemeralBody } from './body.ts';

/**
 * The layout of a frame (docs/spec/ephemeral.md):
 *
 *     0  1 version │ 1  1 suite │ 2  4 epoch │ 6  8 slot │ 14  16 session │ 30  4 counter │ 34 …  sealed
 */
const AT = { epoch: 2, slot: 6, session: 14, counter: 30, sealed: 34 } as const;
const VERSION_AND_SUITE = Uint8Array.of(1, 1);
const SIGNATURE_BYTES = 64;
const TAG_BYTES = 16;
const MIN_FRAME_BYTES = AT.sealed + TAG_BYTES + 4 + SIGNATURE_BYTES;

/** The longest frame: 4 KiB. */
export const MAX_EPHEMERAL_BYTES: number = 4096;

/** One ephemeral message. Its session, 16 bytes, and its counter are its place; nothing of it is kept. */
export interface EphemeralMessage extends EphemeralBody {
  readonly sender: DeviceId;
  readonly session: Uint8Array;
  readonly counter: number;
}

/** A frame that some member sealed: nobody has checked yet whether it was the one it names. */
export interface UnverifiedFrame {
  readonly message: EphemeralMessage;
  /** @throws CryptoError `bad-signature` */
  verify(): void;
}

/**
 * Signs and seals one frame. The session's key seals each counter once: that is for `startEphemeralSession`.
 * @throws CryptoError `not-a-recipient`, `too-large`, `disposed`
 */
export function sealFrame(keys: EpochKeys, signer: Signer, message: EphemeralMessage): Uint8Array {
  const sender = requireSender(keys, message.sender, signer.publicKey);
  const body = bodyBytes(message);
  const { padded, content } = padRoom(SIGNATURE_BYTES + body.length);
  const header = concatBytes(
    VERSION_AND_SUITE,
    uint32Bytes(keys.epoch),
    sender.slot,
    message.session,
    uint32Bytes(message.counter),
  );
  if (header.length + padded.length + TAG_BYTES > MAX_EPHEMERAL_BYTES) throw tooLarge();
  content.set(signer.sign(signedBytes(keys, sender, message, body)));
  content.set(body, SIGNATURE_BYTES);
  const key = keys.sessionKey(sender, message.session);
  const nonce = nonceOf(message.counter);
  const sealed = keys.primitives.aeadSeal({ key, nonce, associated: header, data: padded });
  key.fill(0);
  padded.fill(0);
  return concatBytes(header, sealed);
}

/**
 * Undoes the seal; the signature is left to `verify`, which costs ten times as much.
 * @throws CryptoError `wrong-context` (another epoch), `decryption-failed` (altered, of another group, or of a
 * sender that is not in the epoch), `malformed`, `too-large`, `unsupported-version`, `disposed`
 */
export function unsealFrame(keys: EpochKeys, frame: Uint8Array): UnverifiedFrame {
  if (frame.length > MAX_EPHEMERAL_BYTES) throw tooLarge();
  if (frame.length < MIN_FRAME_BYTES) throw new CryptoError('malformed', 'too short for an ephemeral frame');
  if (!equalBytes(frame.subarray(0, AT.epoch), VERSION_AND_SUITE))
    throw new CryptoError('unsupported-version', 'unknown version or suite of an ephemeral frame');
  const view = new DataView(frame.buffer, frame.byteOffset);
  if (view.getUint32(AT.epoch) !== keys.epoch)
    throw new CryptoError('wrong-context', 'an ephemeral frame of another epoch');
  const sender = keys.senderAt(frame, AT.slot);
  if (sender === null) throw new CryptoError('decryption-failed', 'wrong key or altered bytes');
  const session = copyBytes(frame.subarray(AT.session, AT.counter));
  const counter = view.getUint32(AT.counter);
  const content = unpad(openSealed(keys, sender, frame));
  if (content.length < SIGNATURE_BYTES) throw new CryptoError('malformed', 'no room for a signature');
  const body = content.subarray(SIGNATURE_BYTES);
  const message = { ...readBody(body, MAX_EPHEMERAL_BYTES), sender: sender.device, session, counter };
  return {
    message,
    verify() {
      const signature = content.subarray(0, SIGNATURE_BYTES);
      if (!sender.verifier.verify(signedBytes(keys, sender, message, body), signature))
        throw new CryptoError('bad-signature', 'not signed by the device whose slot it uses');
    },
  };
}

function openSealed(keys: EpochKeys, sender: EpochSender, frame: Uint8Array): Uint8Array {
  const key = keys.sessionKey(sender, frame.subarray(AT.session, AT.counter));
  try {
    return keys.primitives.aeadOpen({
      key,
      nonce: concatBytes(new Uint8Array(8), frame.subarray(AT.counter, AT.sealed)),
      associated: frame.subarray(0, AT.sealed),
      data: frame.subarray(AT.sealed),
    });
  } finally {
    key.fill(0);
  }
}

function nonceOf(counter: number): Uint8Array {
  return concatBytes(new Uint8Array(8), uint32Bytes(counter));
}

/** Label ‖ h(ephemeral, context ‖ session ‖ body), with the context that messages have too. */
function signedBytes(
  keys: EpochKeys,
  sender: EpochSender,
  { channel, counter, session }: EphemeralMessage,
  body: Uint8Array,
): Uint8Array {
  const context = keys.signedContext({ channel, sender, counter, salt: session });
  return labelled('ephemeralSignature', labelledHash(keys.primitives, 'ephemeral', context, session, body));
}

function tooLarge(): CryptoError {
  return new CryptoError('too-large', `an ephemeral frame has at most ${MAX_EPHEMERAL_BYTES} bytes`);
}
