import {
  deviceIdOf,
  type Decapsulator,
  type DeviceId,
  type Primitives,
  type Random,
  type Signer,
} from '@keytide/crypto-core';
import type { OwnDevice } from '@keytide/key-directory';

/** A device with everything it knows, secrets included. */
export interface SeededDevice {
  readonly id: DeviceId;
  readonly signer: Signer;
  readonly decapsulator: Decapsulator;
  /** What the builders of key-directory take. */
  readonly own: OwnDevice;
  /** 32 bytes each, as a key store would hold them. */
  readonly signingSeed: Uint8Array;
  readonly sealingSeed: Uint8Array;
}

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

/** A device whose keys come from `random` and whose sealing key is in force from `nowMs` for ten years. */
export function seededDevice(primitives: Primitives, random: Random, nowMs: number): SeededDevice {
  const signingSeed = random(32);
  const sealingSeed = random(32);
  const signer = primitives.signer(signingSeed);
  const decapsulator = primitives.decapsulator(sealingSeed);
  return {
    id: deviceIdOf(primitives, signer.publicKey),
    signer,
    decapsulator,
    own: {
      signer,
      abilities: 0,
      sealingPublicKey: decapsulator.publicKey,
      notBeforeMs: nowMs,
      notAfterMs: nowMs + 10 * YEAR_MS,
    },
    signingSeed,
    sealingSeed,
  };
}
