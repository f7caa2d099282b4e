import { readUint64 } from './bytes.ts';
import { assertEnvelope, epochOf, HEADER } from './envelope-header.ts';
import type { EpochKeys, MessagePlace } from './epoch-keys.ts';
import { CryptoError } from './errors.ts';
import type { DeviceId, GroupId } from './ids.ts';
import { messageLink, readBody, signedDigest, type BodyFault, type MessageBody } from './message-body.ts';
import { unpad } from './padme.ts';
import type { Verifier } from './primitives.ts';

const CHANNEL_BYTES = 16;
const SIGNATURE_BYTES = 64;
/** Each message has a key of its own, used once, so the nonce can be constant. */
export const ZERO_NONCE: Uint8Array = new Uint8Array(12);

/** A message whose seal and signature are right. Whether it continues its sender's chain says `acceptMessage`. */
export interface OpenedMessage extends MessageBody {
  readonly sender: DeviceId;
  /** 16 bytes. */
  readonly channel: Uint8Array;
  readonly counter: number;
  /** 32 bytes: names this message. */
  readonly digest: Uint8Array;
  /** 32 bytes: what the sender's next message must carry. */
  readonly link: Uint8Array;
}

/** Opens the claims of an `UnverifiedMessage`; kept inside this package, so nobody reads them by mistake. */
export const claims: unique symbol = Symbol('claims');

/**
 * A message that some member sealed, and whose signature nobody has checked: the one it names as its sender
 * may never have seen it. Only `verifyRuns` makes something readable of it.
 */
export interface UnverifiedMessage {
  readonly claimedSender: DeviceId;
  readonly [claims]: Claims;
}

/** What an unverified message says. */
interface Claims {
  readonly group: GroupId;
  readonly verifier: Verifier;
  readonly channel: Uint8Array;
  readonly counter: number;
  readonly signature: Uint8Array;
  readonly digest: Uint8Array;
  readonly link: Uint8Array;
  readonly body: MessageBody | BodyFault;
}

/**
 * Undoes the seal of an envelope and leaves the signature to `verifyRuns`. A retry never helps.
 * @throws CryptoError `wrong-context` (another group or epoch), `decryption-failed` (altered, another key,
 * or a sender that is not in the epoch), `malformed`, `too-large`, `unsupported-version`, `disposed`
 */
export function unsealMessage(keys: EpochKeys, envelope: Uint8Array): UnverifiedMessage {
  assertEnvelope(envelope);
  if (epochOf(envelope) !== keys.epoch || !namesGroup(envelope, keys.groupBytes))
    throw new CryptoError('wrong-context', 'an envelope of another group or epoch');
  const sender = keys.senderAt(envelope, HEADER.slot);
  const routing = keys.maskRouting(
    envelope.subarray(0, HEADER.routing),
    envelope.subarray(HEADER.routing, HEADER.sealed),
  );
  const channel = routing.subarray(0, CHANNEL_BYTES);
  const counter = readUint64(routing, CHANNEL_BYTES);
  if (sender === null || counter === null)
    throw new CryptoError('decryption-failed', 'wrong key or altered bytes');

  const place = { channel, sender, counter, salt: envelope.subarray(HEADER.salt, HEADER.routing) };
  const content = unpad(unseal(keys, place, envelope));
  if (content.length < SIGNATURE_BYTES) throw new CryptoError('malformed', 'no room for a signature');
  const signature = content.subarray(0, SIGNATURE_BYTES);
  const body = content.subarray(SIGNATURE_BYTES);
  const digest = keys.messageDigest(place, body);
  return {
    claimedSender: sender.device,
    [claims]: {
      group: keys.group,
      verifier: sender.verifier,
      channel,
      counter,
      signature,
      digest,
      link: messageLink(keys.primitives, digest, signature),
      body: readBody(body),
    },
  };
}

/** Whether a message's own signature is right. */
export function isSigned(message: UnverifiedMessage): boolean {
  const { verifier, digest, signature } = message[claims];
  return verifier.verify(signedDigest(digest), signature);
}

/** The message that an authenticated one is, or what is wrong with its body. */
export function openedFrom(message: UnverifiedMessage): OpenedMessage | BodyFault {
  const { channel, counter, digest, link, body } = message[claims];
  if (typeof body === 'string') return body;
  const { previousLink, heads, payload } = body;
  return { sender: message.claimedSender, channel, counter, previousLink, heads, payload, digest, link };
}

function unseal(keys: EpochKeys, place: MessagePlace, envelope: Uint8Array): Uint8Array {
  const key = keys.messageKey(place);
  try {
    return keys.primitives.aeadOpen({
      key,
      nonce: ZERO_NONCE,
      associated: envelope.subarray(0, HEADER.sealed),
      data: envelope.subarray(HEADER.sealed),
    });
  } finally {
    key.fill(0);
  }
}

function namesGroup(envelope: Uint8Array, group: Uint8Array): boolean {
  for (let i = 0; i < group.length; i += 1) if (envelope[HEADER.group + i] !== group[i]) return false;
  return true;
}
