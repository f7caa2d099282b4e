import { fromHex, hkdf, type Primitives, type Random } from '@keytide/crypto-core';
import { expectBytes, expectEqual, outcomeOf, type Checks } from './checks.ts';

/** Cases by algorithm, as in packages/crypto-core/test/vectors: text fields, mostly hex. */
export type Vectors = Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>;
type Case = Readonly<Record<string, string>>;

/** Published vectors, and the edge cases with the verdict that every implementation must give. */
export async function checkVectors(checks: Checks, primitives: Primitives, vectors: Vectors): Promise<void> {
  for (const [algorithm, check] of Object.entries(CHECKS)) {
    const cases = vectors[algorithm] ?? [];
    if (cases.length === 0) checks.failed.push(`${algorithm}: no vectors`);
    for (const [index, vector] of cases.entries()) {
      const about = vector['reason'] ?? vector['source'] ?? '';
      await checks.run(`${algorithm} ${index}: ${about}`, () => check(primitives, vector, vectors));
    }
  }
}

/** The published ciphertexts, for a provider whose randomness can be chosen. */
export async function checkSeededVectors(
  checks: Checks,
  withRandom: (random: Random) => Promise<Primitives>,
  vectors: Vectors,
): Promise<void> {
  for (const vector of vectors['xWing'] ?? []) {
    await checks.run(`xWing, encapsulation: ${vector['source'] ?? ''}`, async () => {
      const primitives = await withRandom(() => bytes(vector, 'encapsulationSeed'));
      const made = primitives.encapsulator(bytes(vector, 'publicKey')).encapsulate();
      expectBytes(made.ciphertext, bytes(vector, 'ciphertext'));
      expectBytes(made.sharedSecret, bytes(vector, 'sharedSecret'));
    });
  }
}

const CHECKS: Readonly<Record<string, (primitives: Primitives, vector: Case, all: Vectors) => void>> = {
  sha256: (primitives, vector) =>
    expectBytes(primitives.sha256(bytes(vector, 'data')), bytes(vector, 'hash')),
  hmacSha256: (primitives, vector) =>
    expectBytes(primitives.hmacSha256(bytes(vector, 'key'), bytes(vector, 'data')), bytes(vector, 'tag')),
  hkdf(primitives, vector) {
    const [salt, keyMaterial, info] = [
      bytes(vector, 'salt'),
      bytes(vector, 'keyMaterial'),
      bytes(vector, 'info'),
    ];
    const expected = bytes(vector, 'output');
    expectBytes(hkdf(primitives, { salt, keyMaterial, info, sizeBytes: expected.length }), expected);
  },
  chacha20Poly1305(primitives, vector) {
    const call = aeadCall(vector);
    expectBytes(primitives.aeadSeal({ ...call, data: bytes(vector, 'plaintext') }), call.data);
    expectBytes(primitives.aeadOpen(call), bytes(vector, 'plaintext'));
  },
  aead(primitives, vector, all) {
    const call = aeadCall(first(all, 'chacha20Poly1305'));
    const field = vector['field'] as keyof typeof call;
    const altered = Uint8Array.from(call[field]);
    const at = (Number(vector['at']) + altered.length) % altered.length;
    altered[at] = (altered[at] as number) ^ 1;
    expectEqual(
      outcomeOf(() => primitives.aeadOpen({ ...call, [field]: altered })),
      vector['verdict'],
    );
  },
  ed25519(primitives, vector) {
    const signer = primitives.signer(bytes(vector, 'seed'));
    const message = bytes(vector, 'message');
    expectBytes(signer.publicKey, bytes(vector, 'publicKey'));
    expectBytes(signer.sign(message), bytes(vector, 'signature'));
    expectEqual(primitives.verifier(signer.publicKey).verify(message, bytes(vector, 'signature')), true);
  },
  ed25519Keys: (primitives, vector) =>
    expectEqual(
      outcomeOf(() => primitives.verifier(bytes(vector, 'publicKey'))),
      'bad-key',
    ),
  ed25519Verdicts(primitives, vector) {
    let verdict = 'bad-key';
    const outcome = outcomeOf(() => {
      const verifier = primitives.verifier(bytes(vector, 'publicKey'));
      verdict = verifier.verify(bytes(vector, 'message'), bytes(vector, 'signature'))
        ? 'accepted'
        : 'refused';
    });
    expectEqual(outcome === 'accepted' ? verdict : outcome, vector['verdict']);
  },
  xWing(primitives, vector) {
    const decapsulator = primitives.decapsulator(bytes(vector, 'seed'));
    expectBytes(decapsulator.publicKey, bytes(vector, 'publicKey'));
    expectBytes(decapsulator.decapsulate(bytes(vector, 'ciphertext')), bytes(vector, 'sharedSecret'));
  },
  xWingPublicKeys(primitives, vector, all) {
    const publicKey = patched(bytes(first(all, 'xWing'), 'publicKey'), vector);
    expectEqual(
      outcomeOf(() => primitives.encapsulator(publicKey).encapsulate()),
      vector['verdict'],
    );
  },
  xWingCiphertexts(primitives, vector, all) {
    const good = first(all, 'xWing');
    const ciphertext = patched(bytes(good, 'ciphertext'), vector);
    let secret: Uint8Array = new Uint8Array(0);
    const outcome = outcomeOf(() => {
      secret = primitives.decapsulator(bytes(good, 'seed')).decapsulate(ciphertext);
    });
    expectEqual(outcome, vector['verdict']);
    if (outcome === 'accepted') expectBytes(secret, bytes(vector, 'sharedSecret'));
  },
};

function aeadCall(vector: Case) {
  return {
    key: bytes(vector, 'key'),
    nonce: bytes(vector, 'nonce'),
    associated: bytes(vector, 'associated'),
    data: bytes(vector, 'sealed'),
  };
}

function patched(good: Uint8Array, vector: Case): Uint8Array {
  const altered = Uint8Array.from(good);
  altered.set(bytes(vector, 'bytes'), Number(vector['at']));
  return altered;
}

function first(all: Vectors, algorithm: string): Case {
  return all[algorithm]?.[0] ?? {};
}

function bytes(vector: Case, field: string): Uint8Array {
  const value = fromHex(vector[field] ?? 'missing');
  if (value === null) throw new Error(`${field} is not hex`);
  return value;
}
