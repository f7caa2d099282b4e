import { concatBytes, uint32Bytes, uint64Bytes } from './bytes.ts';
import { HEADER, MAX_ENVELOPE_BYTES } from './envelope-header.ts';
import { requireSender, type EpochKeys } from './epoch-keys.ts';
import { CryptoError } from './errors.ts';
import type { DeviceId } from './ids.ts';
import { bodySizeBytes, messageLink, signedDigest, writeBody, type MessageBody } from './message-body.ts';
import { padRoom } from './padme.ts';
import type { Random, Signer } from './primitives.ts';
import { isSigned, openedFrom, unsealMessage, ZERO_NONCE, type OpenedMessage } from './unseal.ts';

const SALT_BYTES = 16;
const CHANNEL_BYTES = 16;
const LINK_BYTES = 32;
const ROOT_BYTES = 32;
const SIGNATURE_BYTES = 64;
const TAG_BYTES = 16;
const VERSION_AND_SUITE = Uint8Array.of(HEADER.version, HEADER.suite);

/** Input of `sealMessage`. `sender` is the device that `signer` belongs to; `channel` has 16 bytes. */
export interface SealMessageInput extends MessageBody {
  readonly signer: Signer;
  readonly sender: DeviceId;
  readonly channel: Uint8Array;
  /** This device's messages in the group, counted from 0 and on across epochs. */
  readonly counter: number;
  readonly random: Random;
}

/** A sealed message: what goes to the relay, its digest, and the link its successor must carry (32 bytes each). */
export interface SealedMessage {
  readonly envelope: Uint8Array;
  readonly digest: Uint8Array;
  readonly link: Uint8Array;
}

/**
 * Signs a message, pads it and seals it under a key of its own (docs/spec/envelope.md).
 * @throws CryptoError `not-a-recipient`, `too-large`, `malformed` (lengths, counter), `disposed`
 */
export function sealMessage(keys: EpochKeys, input: SealMessageInput): SealedMessage {
  const { primitives } = keys;
  const { channel, counter } = input;
  const sender = requireSender(keys, input.sender, input.signer.publicKey);
  checkShape(input);
  const salt = input.random(SALT_BYTES);
  const place = { channel, sender, counter, salt };

  const { padded, content } = padRoom(SIGNATURE_BYTES + bodySizeBytes(input));
  if (HEADER.sealed + padded.length + TAG_BYTES > MAX_ENVELOPE_BYTES)
    throw new CryptoError('too-large', `an envelope has at most ${MAX_ENVELOPE_BYTES} bytes`);
  const body = content.subarray(SIGNATURE_BYTES);
  writeBody(body, input);
  const digest = keys.messageDigest(place, body);
  const signature = input.signer.sign(signedDigest(digest));
  content.set(signature);

  const start = concatBytes(VERSION_AND_SUITE, keys.groupBytes, uint32Bytes(keys.epoch), sender.slot, salt);
  const routing = keys.maskRouting(start, concatBytes(channel, uint64Bytes(counter)));
  const header = concatBytes(start, routing);
  const key = keys.messageKey(place);
  const sealed = primitives.aeadSeal({ key, nonce: ZERO_NONCE, associated: header, data: padded });
  key.fill(0);
  padded.fill(0);
  return {
    envelope: concatBytes(header, sealed),
    digest,
    link: messageLink(primitives, digest, signature),
  };
}

/**
 * Opens an envelope and checks the sender's signature. A retry never helps. For more than a few messages
 * `unsealMessage` and `verifyRuns` do the same at a fraction of the cost.
 * @throws CryptoError `wrong-context` (another group or epoch), `decryption-failed` (altered, another key,
 * or a sender that is not in the epoch), `bad-signature`, `malformed`, `too-large`, `unsupported-version`, `disposed`
 */
export function openMessage(keys: EpochKeys, envelope: Uint8Array): OpenedMessage {
  const message = unsealMessage(keys, envelope);
  if (!isSigned(message))
    throw new CryptoError('bad-signature', 'not signed by the device whose slot it uses');
  const opened = openedFrom(message);
  if (typeof opened === 'string') throw new CryptoError(opened, 'a signed body against the specification');
  return opened;
}

function checkShape({ channel, counter, previousLink, heads }: SealMessageInput): void {
  const isFirst = previousLink.every((byte) => byte === 0);
  if (
    channel.length !== CHANNEL_BYTES ||
    previousLink.length !== LINK_BYTES ||
    !isCount(counter) ||
    isFirst !== (counter === 0) ||
    [heads.directory, heads.group].some(({ size, root }) => !isCount(size) || root.length !== ROOT_BYTES)
  )
    throw new CryptoError('malformed', 'not a channel, counter, link and heads of one sender');
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
