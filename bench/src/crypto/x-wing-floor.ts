import {
  createPublicKey,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hash,
  type KeyObject,
} from 'node:crypto';
import { compareBytes, type Decapsulator } from '@keytide/crypto-core';
import type { Contestant } from '../contest.ts';

const ML_KEM_BYTES = 1_184;
const LABEL = Buffer.from('\\.//^\\', 'latin1');

export const X_WING_FLOOR = 'floor: X-Wing in node:crypto, cached keys';
export const NEW_KEYS_FLOOR = 'floor: X-Wing in node:crypto, new keys';

type Devices = readonly { readonly decapsulator: Decapsulator }[];

/** Bare X-Wing (draft-connolly-cfrg-xwing-kem) to every device: no box, no statement, keys imported before. */
export function xWingFloor(devices: Devices): Contestant {
  const keys = devices.map(({ decapsulator }) => importKey(decapsulator.publicKey));
  return floorOf(X_WING_FLOOR, devices, () => keys.map(encapsulateTo));
}

/** The same where each key is imported first, as those of a new block have to be. */
export function xWingFloorOfNewKeys(devices: Devices): Contestant {
  const keys = devices.map(({ decapsulator }) => decapsulator.publicKey);
  return floorOf(NEW_KEYS_FLOOR, devices, () => keys.map((key) => encapsulateTo(importKey(key))));
}

function floorOf(name: string, devices: Devices, work: () => ReturnType<typeof encapsulateTo>[]): Contestant {
  return {
    name,
    async round(time) {
      const made = await time(work);
      const { ciphertext, sharedSecret } = made.at(-1) as (typeof made)[number];
      const opened = (devices.at(-1) as (typeof devices)[number]).decapsulator.decapsulate(ciphertext);
      if (compareBytes(opened, sharedSecret) !== 0) throw new Error('the floor is not X-Wing');
    },
  };
}

interface ImportedKey {
  readonly mlKem: KeyObject;
  readonly x25519: KeyObject;
  readonly raw: Buffer;
}

function importKey(publicKey: Uint8Array): ImportedKey {
  const key = Buffer.from(publicKey);
  const [mlKem, raw] = [key.subarray(0, ML_KEM_BYTES), key.subarray(ML_KEM_BYTES)];
  return {
    mlKem: createPublicKey({ key: mlKem, format: 'raw-public', asymmetricKeyType: 'ml-kem-768' }),
    x25519: createPublicKey({ key: raw, format: 'raw-public', asymmetricKeyType: 'x25519' }),
    raw,
  };
}

function encapsulateTo({ mlKem, x25519, raw }: ImportedKey) {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const ephemeral = publicKey.export({ format: 'raw-public' });
  const { sharedKey, ciphertext } = encapsulate(mlKem);
  const agreed = diffieHellman({ privateKey, publicKey: x25519 });
  const sharedSecret = hash('sha3-256', Buffer.concat([sharedKey, agreed, ephemeral, raw, LABEL]), 'buffer');
  return { ciphertext: Buffer.concat([ciphertext, ephemeral]), sharedSecret };
}
