import { concatBytes, equalBytes, toHex, uint32Bytes, writeUint64 } from './bytes.ts';
import type { EpochStatement } from './epoch-statement.ts';
import { CryptoError } from './errors.ts';
import { hkdfExpand, hkdfExpandBlock, HKDF_BLOCK_ONE } from './hkdf.ts';
import { idBytes, type DeviceId, type GroupId } from './ids.ts';
import { verifyCommitment } from './key-commitment.ts';
import { labelled } from './labels.ts';
import type { Primitives, Verifier } from './primitives.ts';
import type { Secret } from './secret.ts';
import { SenderTable, type EpochSender } from './sender-table.ts';

const SUITE = Uint8Array.of(1);
const SLOT_BYTES = 8;
const ROUTING_BYTES = 24;
/** Version to salt: what the mask of the routing depends on. */
const START_BYTES = 62;
/** Altered envelopes name channels that do not exist, so the cache must have an end. */
const MAX_CACHED_CHANNELS = 256;

/** The place of one message in an epoch. `salt` has 16 bytes, `channel` 16. */
export interface MessagePlace {
  readonly channel: Uint8Array;
  readonly sender: EpochSender;
  readonly counter: number;
  readonly salt: Uint8Array;
}

/** Input of `openEpoch`. `devices`: the epoch's recipients with the signing keys of the verified log. */
export interface OpenEpochInput {
  readonly primitives: Primitives;
  /** Verified (`verifyEpochStatement`). */
  readonly statement: Pick<EpochStatement, 'org' | 'group' | 'epoch' | 'hash' | 'keyCommitment'>;
  /** Owned by the result from now on. */
  readonly key: Secret;
  readonly devices: Iterable<{ readonly device: DeviceId; readonly verifier: Verifier }>;
}

/**
 * Prepares an epoch for `sealMessage` and `openMessage`; worth keeping, as it caches what it derives.
 * @throws CryptoError `commitment-mismatch`: not the key of this statement
 */
export function openEpoch(input: OpenEpochInput): EpochKeys {
  verifyCommitment(input.primitives, input.statement, input.key);
  return new EpochKeys(input);
}

/**
 * An opened epoch: its key and everything derived from it, out of reach. Made by `openEpoch`. What is hashed
 * for every message is laid out once, and only the places that differ are written each time.
 */
export class EpochKeys {
  readonly primitives: Primitives;
  readonly group: GroupId;
  readonly groupBytes: Uint8Array;
  readonly epoch: number;
  readonly #key: Secret;
  readonly #senders: SenderTable;
  readonly #channels = new Map<string, Uint8Array>();
  /** label ‖ start [62] ‖ 01 */
  readonly #routingInfo: Uint8Array;
  /** label ‖ statement hash [32] ‖ sender [32] ‖ u64 counter ‖ salt [16] ‖ 01 */
  readonly #messageInfo: Uint8Array;
  /** label ‖ context ‖ body, as far as `#bodyAt` the same for all messages but for channel, sender, counter. */
  #digestInput: Uint8Array;
  readonly #contextAt: number;
  readonly #bodyAt: number;

  constructor({ primitives, statement, key, devices }: OpenEpochInput) {
    this.primitives = primitives;
    this.group = statement.group;
    this.groupBytes = idBytes(statement.group);
    this.epoch = statement.epoch;
    this.#key = key;
    this.#senders = new SenderTable(
      Array.from(devices, ({ device, verifier }): EpochSender => {
        const deviceBytes = idBytes(device);
        const slot = this.#derive(labelled('senderSlot', deviceBytes), SLOT_BYTES);
        return { device, deviceBytes, slot, verifier };
      }),
    );
    this.#routingInfo = labelled('routing', new Uint8Array(START_BYTES), HKDF_BLOCK_ONE);
    this.#messageInfo = labelled('messageKey', statement.hash, new Uint8Array(32 + 8 + 16), HKDF_BLOCK_ONE);
    this.#digestInput = labelled(
      'message',
      SUITE,
      idBytes(statement.org),
      this.groupBytes,
      new Uint8Array(16),
      uint32Bytes(statement.epoch),
      statement.hash,
      new Uint8Array(32 + 8),
      statement.keyCommitment,
    );
    this.#contextAt = labelled('message').length;
    this.#bodyAt = this.#digestInput.length;
  }

  /** The sender for a device id, or `null` for a device that is not in this epoch. */
  senderOf(device: DeviceId): EpochSender | null {
    return this.#senders.ofDevice(device);
  }

  /** The sender whose slot stands at `offset`, or `null` for a slot of nobody in this epoch. */
  senderAt(bytes: Uint8Array, offset: number): EpochSender | null {
    return this.#senders.atSlot(bytes, offset);
  }

  /** Hides or reveals channel and counter (24 bytes); `start` is the envelope up to them, with its salt. */
  maskRouting(start: Uint8Array, routing: Uint8Array): Uint8Array {
    const info = this.#routingInfo;
    info.set(start, info.length - 1 - START_BYTES);
    const mask = this.#key.use((key) => hkdfExpandBlock(this.primitives, key, info));
    const masked = new Uint8Array(ROUTING_BYTES);
    for (let i = 0; i < ROUTING_BYTES; i += 1) masked[i] = (mask[i] as number) ^ (routing[i] as number);
    return masked;
  }

  /** The AEAD key of one message, 32 bytes, secret; the caller wipes it. */
  messageKey({ channel, sender, counter, salt }: MessagePlace): Uint8Array {
    const info = this.#messageInfo;
    const at = info.length - 1 - (32 + 8 + 16);
    info.set(sender.deviceBytes, at);
    writeUint64(info, at + 32, counter);
    info.set(salt, at + 40);
    return hkdfExpandBlock(this.primitives, this.#channelKey(channel), info);
  }

  /** The AEAD key of one session of ephemeral frames (`session` has 16 bytes): 32 bytes, secret; the caller wipes it. */
  sessionKey(sender: EpochSender, session: Uint8Array): Uint8Array {
    return this.#derive(labelled('ephemeralKey', sender.deviceBytes, session), 32);
  }

  /** What a message's signature covers besides its body; every part has a fixed length. */
  signedContext(place: MessagePlace): Uint8Array {
    this.#writeContext(place);
    return this.#digestInput.slice(this.#contextAt, this.#bodyAt);
  }

  /** Names a message: 32 bytes over its context and the exact body bytes. */
  messageDigest(place: MessagePlace, body: Uint8Array): Uint8Array {
    const end = this.#bodyAt + body.length;
    if (this.#digestInput.length < end)
      this.#digestInput = concatBytes(this.#digestInput, new Uint8Array(end));
    this.#writeContext(place);
    this.#digestInput.set(body, this.#bodyAt);
    const digest = this.primitives.sha256(this.#digestInput.subarray(0, end));
    this.#digestInput.fill(0, this.#bodyAt, end);
    return digest;
  }

  /** Wipes the epoch key and all that was derived from it; later calls throw `disposed`. */
  dispose(): void {
    this.#key.dispose();
    for (const key of this.#channels.values()) key.fill(0);
    this.#channels.clear();
  }

  toJSON(): string {
    return '[epoch keys]';
  }

  #writeContext({ channel, sender, counter }: MessagePlace): void {
    const context = this.#digestInput;
    const channelAt = this.#contextAt + 1 + 32 + 32;
    context.set(channel, channelAt);
    const senderAt = channelAt + 16 + 4 + 32;
    context.set(sender.deviceBytes, senderAt);
    writeUint64(context, senderAt + 32, counter);
  }

  #channelKey(channel: Uint8Array): Uint8Array {
    const name = toHex(channel);
    const cached = this.#channels.get(name);
    if (cached !== undefined) return cached;
    const key = this.#derive(labelled('channelKey', channel), 32);
    const [oldest] = this.#channels.keys();
    if (this.#channels.size >= MAX_CACHED_CHANNELS && oldest !== undefined) {
      this.#channels.get(oldest)?.fill(0);
      this.#channels.delete(oldest);
    }
    this.#channels.set(name, key);
    return key;
  }

  #derive(info: Uint8Array, sizeBytes: number): Uint8Array {
    return this.#key.use((key) => hkdfExpand(this.primitives, key, info, sizeBytes));
  }
}

/** Checks that whoever holds this signing key may write here. @throws CryptoError `not-a-recipient` */
export function requireSender(keys: EpochKeys, device: DeviceId, publicKey: Uint8Array): EpochSender {
  const sender = keys.senderOf(device);
  if (sender === null || !equalBytes(sender.verifier.publicKey, publicKey))
    throw new CryptoError('not-a-recipient', 'this device is not in the epoch that it wants to write in');
  return sender;
}
