import type {
  DeviceId,
  DeviceRecord,
  Encapsulator,
  KeyStoreChange,
  PairwiseChannel,
  PairwiseEndpoint,
} from '@keytide/crypto-core';

/**
 * What gives this device sessions with others: `libsignalSessions` of `@keytide/client/libsignal`. Left out where
 * libsignal does not run: then it gets boxes.
 */
export interface Sessions {
  /** The channel of two devices that both can hold sessions. @throws CryptoError `ability-missing`, `wrong-context` */
  channel(endpoint: PairwiseEndpoint, peer: SessionPeer, now: () => number): SessionChannel;
  /** Whether there is anything to publish. `published`: one-time pairs that the relay has left. */
  arePreKeysDue(endpoint: PairwiseEndpoint, published: number, nowMs: number): Promise<boolean>;
  /** Makes what is to be published; its secrets are durable when it resolves. */
  preparePreKeys(endpoint: PairwiseEndpoint, published: number, nowMs: number): Promise<PreKeys>;
  /** The devices of which this one remembers anything. */
  peers(endpoint: PairwiseEndpoint): Promise<readonly DeviceId[]>;
  /** Deletes what is over. */
  forget(endpoint: PairwiseEndpoint, keeping: SessionKeeping): Promise<void>;
}

/** A device to hold a session with: its record from the membership log, a sealing key, and where its pre-keys are had. */
interface SessionPeer {
  readonly record: DeviceRecord;
  readonly encapsulator: Encapsulator;
  readonly fetchOffer: () => Promise<PreKeyOffer>;
}

/** Pre-keys of one device for one session, as the relay gives them: signed by the device. */
export interface PreKeyOffer {
  readonly bundle: Uint8Array;
  readonly oneTime: Uint8Array | null;
}

/** Pre-keys for the relay to hand out, each at most 4,096 bytes. */
export interface PreKeys {
  readonly bundle: Uint8Array;
  readonly oneTime: readonly Uint8Array[];
  /** Those that the relay has left are dropped. */
  readonly replacesAll: boolean;
}

/** A channel that repairs itself with notices (docs/spec/pairwise.md). */
export interface SessionChannel extends PairwiseChannel {
  /** What this device owes the peer to say, sealed; `null` where that is nothing, or not yet again. */
  sealNotice(keep: (wire: Uint8Array) => readonly KeyStoreChange[]): Promise<Uint8Array | null>;
  /** Heeds a notice; `keep` is called for each message that is to be sent again. */
  openNotice(
    wire: Uint8Array,
    keep: (again: Uint8Array) => readonly KeyStoreChange[],
  ): Promise<readonly Uint8Array[]>;
}

/** What is still to be kept of sessions. */
export interface SessionKeeping {
  readonly isActive: (peer: DeviceId) => boolean;
  readonly isKept: (plaintext: Uint8Array) => boolean;
  readonly usedSinceMs: number;
}
