import { expect } from 'vitest';
import { toHex, type Primitives, type Random } from '@keytide/crypto-core';
import { browserPrimitives, type Sodium } from '@keytide/crypto-core/browser';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { portablePrimitives } from '@keytide/crypto-core/portable';
import { codeOf } from './code-of.ts';
import { seededRandom } from './seeded-random.ts';
import { loadSodium } from './sodium.ts';

const sodium = await loadSodium();

/** What react-native-libsodium 1.7 has: signatures, but neither this AEAD nor X-Wing. */
const signaturesOnly: Sodium = {
  ready: sodium.ready,
  randombytes_buf: sodium.randombytes_buf,
  crypto_sign_seed_keypair: sodium.crypto_sign_seed_keypair,
  crypto_sign_detached: sodium.crypto_sign_detached,
  crypto_sign_verify_detached: sodium.crypto_sign_verify_detached,
};

/** The implementations that draw from a `Random` they are given. */
export const seedable: readonly { name: string; make: (random: Random) => Promise<Primitives> }[] = [
  { name: 'portable', make: async (random) => portablePrimitives(random) },
  { name: 'libsodium', make: (random) => browserPrimitives({ random }) },
  { name: 'libsodium of an app', make: (random) => browserPrimitives({ random, sodium: signaturesOnly }) },
];

/** Every implementation, Node's first. */
export const providers: readonly { name: string; primitives: Primitives }[] = [
  { name: 'node', primitives: nodePrimitives },
  ...(await Promise.all(
    seedable.map(async ({ name, make }) => ({ name, primitives: await make(seededRandom(name)) })),
  )),
];

/** What `act` gives on every implementation, its bytes in hex or the code it throws; fails where they differ. */
export function agreed(act: (primitives: Primitives) => Uint8Array | boolean): string {
  const outcomes = providers.map(({ name, primitives }) => {
    let outcome = '';
    const code = codeOf(() => {
      const answer = act(primitives);
      outcome = typeof answer === 'boolean' ? String(answer) : toHex(answer);
    });
    return { name, outcome: code ?? outcome };
  });
  const [first] = outcomes;
  for (const { name, outcome } of outcomes)
    expect({ name, outcome }).toEqual({ name, outcome: first?.outcome });
  return first?.outcome ?? '';
}
