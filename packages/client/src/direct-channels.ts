import {
  boxChannel,
  choosePairwise,
  CryptoError,
  pairwiseEndpoint,
  parsePairwiseKind,
  type KeyStore,
  type KeyStoreChange,
  type OrgId,
  type PairwiseEndpoint,
} from '@keytide/crypto-core';
import type { Device } from '@keytide/key-directory';
import { fetchPreKeys } from './direct-api.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import type { Self } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import type { OwnSealingKeys } from './own-sealing-keys.ts';
import type { Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';
import type { SealingRecords } from './sealing-records.ts';
import type { SessionChannel, Sessions } from './sessions.ts';
import { notedKeyStore, type NotedKeyStore } from './store-failures.ts';
import type { TrustedTime } from './trusted-time.ts';

export interface DirectChannelParts {
  readonly ports: Pick<Ports, 'primitives' | 'random'>;
  readonly org: OrgId;
  readonly self: Self;
  readonly keyStore: KeyStore;
  readonly directory: DirectoryReplica;
  readonly sealing: OwnSealingKeys;
  readonly sealingRecords: SealingRecords;
  /** `null`: this device gets boxes. */
  readonly sessions: Sessions | null;
  readonly api: Pick<RelayApi, 'call'>;
  /** What time it is at the least. */
  readonly time: Pick<TrustedTime, 'now'>;
}

/** What becomes durable with a message that is opened. */
export interface Kept {
  /** What the plaintext brings. */
  readonly message: (plaintext: Uint8Array) => readonly KeyStoreChange[];
  /** A message that is to be sent again, since the peer could not open it. */
  readonly again: (wire: Uint8Array) => readonly KeyStoreChange[];
}

/** This device's channels to others: in sessions where the signed records of both say that they can, else in boxes. */
export class DirectChannels {
  readonly #parts: DirectChannelParts;
  readonly #noted: NotedKeyStore;
  #endpoint: PairwiseEndpoint | null = null;

  constructor(parts: DirectChannelParts) {
    this.#parts = parts;
    this.#noted = notedKeyStore(parts.keyStore);
  }

  /** This device's end; needs its place in the membership log. */
  get endpoint(): PairwiseEndpoint {
    const { ports, org, self, directory, sealing } = this.#parts;
    this.#endpoint ??= pairwiseEndpoint({
      primitives: ports.primitives,
      random: ports.random,
      org,
      store: this.#noted.store,
      signer: self.signer,
      record: directory.state.devices.get(self.device) as Device,
      sealingKey: (keyId) => sealing.withId(keyId),
    });
    return this.#endpoint;
  }

  /** Whether an error is the key store's, so that what was at work has to come again. */
  isStoreFailure(error: unknown): boolean {
    return this.#noted.failedWith(error);
  }

  /** Whether a device gets its messages in a session, and never in a box. */
  holdsSession(device: Device): boolean {
    return choosePairwise(this.endpoint.record, device) === 'session';
  }

  /** Whether there is a sealing key of a device that is in force. */
  canSealTo(device: Device): boolean {
    return this.#parts.sealingRecords.choiceAt(device, this.#parts.time.now()).kind !== 'silent';
  }

  /** A box for a device that can be sealed to. It leaves nothing behind on this side. @throws CryptoError `downgraded` */
  sealBox(device: Device, plaintext: Uint8Array): Promise<Uint8Array> {
    return boxChannel(this.endpoint, this.#peer(device)).seal(plaintext, () => []);
  }

  /**
   * Opens a message, or heeds a notice.
   * @returns `null` when it is done with, or why it has to come again
   * @throws CryptoError for what never opens; whatever the store throws
   */
  async open(device: Device, wire: Uint8Array, { message, again }: Kept): Promise<string | null> {
    if (!this.holdsSession(device)) {
      await boxChannel(this.endpoint, this.#peer(device)).open(wire, message);
      return null;
    }
    let isAsked = false;
    const channel = this.session(device, () => {
      isAsked = true;
    });
    if (parsePairwiseKind(wire) !== 'notice') {
      await channel.open(wire, message);
      return null;
    }
    try {
      await channel.openNotice(wire, again);
      return null;
    } catch (error) {
      const code = isAsked || isTooSoon(error) ? this.waitsFor(error) : null;
      if (code === null) throw error;
      return code;
    }
  }

  /** Why something that is to be sent has to wait, where that is the relay's or the peer's doing; `null` where it is not. */
  waitsFor(error: unknown): string | null {
    if (this.isStoreFailure(error)) return null;
    if (error instanceof CryptoError) return error.code;
    if (!(error instanceof ClientError) || error.code === 'offline') return null;
    return error.relayCode ?? error.code;
  }

  /**
   * The session with a device, which asks the relay for pre-keys where it has to start.
   * @param onAsked is called then
   */
  session(device: Device, onAsked: () => void = () => {}): SessionChannel {
    const { sessions, api, time } = this.#parts;
    if (sessions === null) throw sessionsNeeded();
    const fetchOffer = () => {
      onAsked();
      return fetchPreKeys(api, device.id);
    };
    return sessions.channel(this.endpoint, { ...this.#peer(device), fetchOffer }, () => time.now());
  }

  /** The sealing key in force, or the one of the log: that opens nothing, but no channel is without one. */
  #peer(device: Device) {
    const { ports, sealingRecords, time } = this.#parts;
    const choice = sealingRecords.choiceAt(device, time.now());
    const { publicKey } = choice.kind === 'silent' ? device.sealing : choice.record;
    return { record: device, encapsulator: ports.primitives.encapsulator(publicKey) };
  }
}

/** This device's record says that it holds sessions, so nobody writes to it in another way. */
export function sessionsNeeded(): ClientError {
  return new ClientError('sessions-needed', 'this device holds sessions: open it with `sessions`');
}

function isTooSoon(error: unknown): boolean {
  return error instanceof CryptoError && error.code === 'reset-limited';
}
