import type { DeviceRecord } from '../device-record.ts';
import { CryptoError } from '../errors.ts';
import { equalBytes } from '../bytes.ts';
import { deviceIdOf, type DeviceId, type OrgId } from '../ids.ts';
import type { KeyStore } from '../key-store.ts';
import type { Decapsulator, Encapsulator, Primitives, Random, Signer } from '../primitives.ts';

/** What a device brings to its pairwise channels. */
export interface PairwiseInput {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly org: OrgId;
  /** Holds what all channels of this device remember, under `pairwise/` and `libsignal/`. One organisation in one store. */
  readonly store: KeyStore;
  readonly signer: Signer;
  /** This device's own, as it is in the membership log. */
  readonly record: DeviceRecord;
  /** The sealing key with this id (`sealingKeyId`), or `null` when there is none or it is deleted. */
  readonly sealingKey: (keyId: string) => Decapsulator | null;
}

/** This device, as its channels see it: it keeps their changes of the store from crossing. */
export interface PairwiseEndpoint extends PairwiseInput {
  readonly device: DeviceId;
  /** Runs one act on the store after another, also after one has failed, and of whatever endpoint it is. */
  readonly inTurn: <T>(act: () => Promise<T>) => Promise<T>;
}

/** The other device: its record from the verified membership log, and a sealing key of its that is in force. */
export interface PairwisePeer {
  readonly record: DeviceRecord;
  readonly encapsulator: Encapsulator;
}

/**
 * The last act on each store. An app that makes two endpoints on one store would otherwise seal two messages with one
 * key of a session.
 */
const lastActs = new WeakMap<KeyStore, Promise<unknown>>();

/** @throws CryptoError `wrong-context` when `signer` is not the key of `record` */
export function pairwiseEndpoint(input: PairwiseInput): PairwiseEndpoint {
  if (!equalBytes(input.signer.publicKey, input.record.signingPublicKey))
    throw new CryptoError('wrong-context', 'the device record is not that of the signing key');
  return {
    ...input,
    device: deviceIdOf(input.primitives, input.signer.publicKey),
    inTurn(act) {
      const done = (lastActs.get(input.store) ?? Promise.resolve()).then(act);
      lastActs.set(
        input.store,
        done.catch(() => undefined),
      );
      return done;
    },
  };
}

/** The device id of a peer. @throws CryptoError `wrong-context` for this device itself */
export function peerDevice(endpoint: PairwiseEndpoint, peer: PairwisePeer): DeviceId {
  const device = deviceIdOf(endpoint.primitives, peer.record.signingPublicKey);
  if (device === endpoint.device) throw new CryptoError('wrong-context', 'a device has no channel to itself');
  return device;
}
