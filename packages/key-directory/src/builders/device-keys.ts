import {
  createSealingRecord,
  deviceIdOf,
  encodeDeviceRecord,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import type { DeviceKeys } from '../entry-body.ts';

/** A device that is about to enter a log, with the keys it made for itself. */
export interface OwnDevice {
  /** Its long-lived signing key. */
  readonly signer: Signer;
  /** Bit mask of docs/spec/keys-and-sealing.md; 0 for none. */
  readonly abilities: number;
  /** X-Wing, 1216 bytes. */
  readonly sealingPublicKey: Uint8Array;
  /** The sealing key's validity, milliseconds since 1970: from inclusive, to exclusive. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** The records that publish a device's keys. @throws CryptoError `malformed` */
export function publishKeys(primitives: Primitives, device: OwnDevice): DeviceKeys {
  const { signer, abilities, sealingPublicKey, notBeforeMs, notAfterMs } = device;
  return {
    deviceRecord: encodeDeviceRecord({ signingPublicKey: signer.publicKey, abilities }),
    sealingRecord: createSealingRecord(primitives, signer, {
      device: deviceIdOf(primitives, signer.publicKey),
      publicKey: sealingPublicKey,
      notBeforeMs,
      notAfterMs,
    }),
  };
}
