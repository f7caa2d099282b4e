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

/** Bare X-Wing (draft-connolly-cfrg-xwing-kem) to every device: no box, no statement, keys imported before. */
export function xWingFloor(devices: readonly { readonly decapsulator: Decapsulator }[]): Contestant {
  const keys = devices.map(({ decapsulator }) => {
    const raw = Buffer.from(decapsulator.publicKey);
    const [mlKem, x25519] = [raw.subarray(0, ML_KEM_BYTES), raw.subarray(ML_KEM_BYTES)];
    return {
      mlKem: createPublicKey({ key: mlKem, format: 'raw-public', asymmetricKeyType: 'ml-kem-768' }),
      x25519: createPublicKey({ key: x25519, format: 'raw-public', asymmetricKeyType: 'x25519' }),
      raw: x25519,
    };
  });
  return {
    name: X_WING_FLOOR,
    async round(time) {
      const made = await time(() => keys.map(encapsulateTo));
      const { ciphertext, sharedSecret } = made.at(-1) as (typeof made)[number];
      const opened = (devices.at(-1) as (typeof devices)[number]).decapsulator.decapsulate(ciphertext);
      if (compareBytes(opened, sharedSecret) !== 0) throw new Error('the floor is not X-Wing');
    },
  };
}

function encapsulateTo({ mlKem, x25519, raw }: { mlKem: KeyObject; x25519: KeyObject; raw: Buffer }) {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const ephemeral = publicKey.export({ format: 'raw-public' });
  const { sharedKey, ciphertext } = encapsulate(mlKem);
  const agreed = diffieHellman({ privateKey, publicKey: x25519 });
  const sharedSecret = hash('sha3-256', Buffer.concat([sharedKey, agreed, ephemeral, raw, LABEL]), 'buffer');
  return { ciphertext: Buffer.concat([ciphertext, ephemeral]), sharedSecret };
}
