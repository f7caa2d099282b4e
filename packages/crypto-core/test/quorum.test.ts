import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  combineShares,
  CryptoError,
  dealQuorum,
  examineShares,
  parseQuorumSet,
  redealQuorum,
  Secret,
  verifyQuorumSet,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { codeOf, codeOfAsync } from './code-of.ts';
import {
  changed,
  copy,
  dealInput,
  dealer,
  dealerVerifier,
  NAMES,
  newSecret,
  org,
  quorum,
  verify,
} from './quorum-world.ts';
import { seededRandom } from './seeded-random.ts';

const flip = (at: number) => (bytes: Uint8Array) => {
  bytes[at] = (bytes[at] as number) ^ 1;
};

describe('a shared secret', () => {
  test('comes back from any M shares in any order, whatever bad ones are among them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 8 }).chain((count) =>
          fc.record({
            count: fc.constant(count),
            threshold: fc.integer({ min: 2, max: count }),
            order: fc.shuffledSubarray(
              Array.from({ length: count }, (_, i) => i),
              { minLength: count },
            ),
          }),
        ),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.nat(65),
        async ({ count, threshold, order }, bytes, at) => {
          const holders = Array.from({ length: count }, (_, i) => `holder ${i}`);
          const secret = Secret.own(bytes.slice());
          const { set, shares } = await quorum({ threshold, holders, secret });
          const good = order.slice(0, threshold);
          const bad = order.slice(threshold).map((i) => changed(shares[i] as Secret, flip(at)));
          const given = [...bad, ...good.map((i) => shares[i] as Secret)];
          const combined = await combineShares(primitives, set, given);
          expect(copy(combined.secret)).toEqual(bytes);
          expect(combined.refused.map(({ position }) => position)).toEqual(bad.map((_, i) => i));
          const few = await codeOfAsync(() =>
            combineShares(primitives, set, [...bad, ...given.slice(bad.length + 1)]),
          );
          expect(few).toBe('too-few-shares');
        },
      ),
      { numRuns: 25 },
    );
  });

  test('fewer than M shares say nothing: every secret fits them equally well', async () => {
    // With the randomness fixed, the drawn shares are the same whatever the secret is.
    const [one, two] = await Promise.all([quorum(), quorum({ secret: newSecret(0x99) })]);
    const drawn = ({ shares }: typeof one) => shares.slice(0, 2).map((share) => copy(share));
    expect(drawn(one)).toEqual(drawn(two));
    expect(copy(one.shares[2] as Secret)).not.toEqual(copy(two.shares[2] as Secret));
  });

  test('the largest set', async () => {
    const holders = Array.from({ length: 64 }, (_, i) => `${i}`.padStart(64, '名'));
    const { set, shares } = await quorum({ holders, threshold: 32 });
    const { secret } = await combineShares(primitives, set, shares.slice(32));
    expect(secret.equals(newSecret())).toBe(true);
  });

  test('cannot have impossible numbers, names or lengths', async () => {
    const refused = (overrides: Parameters<typeof dealInput>[0]) =>
      codeOfAsync(() => dealQuorum(dealInput(overrides)));
    for (const threshold of [0, 1, 6, 2.5, Number.NaN])
      expect(await refused({ threshold })).toBe('malformed');
    expect(await refused({ holders: ['one'], threshold: 2 })).toBe('malformed');
    expect(await refused({ holders: Array.from({ length: 65 }, () => 'x') })).toBe('malformed');
    expect(await refused({ holders: ['', 'b', 'c'] })).toBe('malformed');
    expect(await refused({ holders: ['a'.repeat(65), 'b', 'c'] })).toBe('malformed');
    expect(await refused({ secret: Secret.own(new Uint8Array(31)) })).toBe('bad-key');
  });
});

describe('refused shares', () => {
  test('are named, each with its reason', async () => {
    const { set, shares } = await quorum();
    const [ana, bram, chidi] = shares as [Secret, Secret, Secret];
    const foreign = await quorum({ random: seededRandom('another set') });
    const wiped = changed(ana, () => null);
    wiped.dispose();
    const given = [
      changed(bram, flip(65)), // value
      changed(bram, flip(20)), // salt
      changed(bram, (bytes) => (bytes[17] = 3)), // the index of another holder
      changed(bram, (bytes) => (bytes[17] = 0)),
      changed(bram, (bytes) => (bytes[17] = 6)),
      changed(bram, flip(0)),
      Secret.own(copy(bram).slice(1)),
      foreign.shares[1] as Secret,
      wiped,
      ana,
      ana,
    ];
    const named = (code: string, index: number | null, position: number) => ({
      position,
      index,
      holder: index === null ? null : NAMES[index - 1],
      code,
    });
    const { good, refused } = examineShares(primitives, set, given);
    expect(good).toEqual([{ position: 9, index: 1, holder: 'Ana' }]);
    expect(refused).toEqual([
      named('poisoned-share', 2, 0),
      named('poisoned-share', 2, 1),
      named('poisoned-share', 3, 2),
      named('bad-share-index', null, 3),
      named('bad-share-index', null, 4),
      named('unsupported-version', null, 5),
      named('malformed', null, 6),
      named('wrong-context', null, 7),
      named('disposed', null, 8),
      named('duplicate-share', 1, 10),
    ]);
    const thrown = await combineShares(primitives, set, given).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'too-few-shares', cause: refused });
    expect((thrown as CryptoError).message).not.toContain('Bram');
    expect((await combineShares(primitives, set, [...given, bram, chidi])).secret.equals(newSecret())).toBe(
      true,
    );
  });

  test('a forged share does not keep out the one it imitates', async () => {
    const { set, shares } = await quorum();
    const given = [changed(shares[0] as Secret, flip(50)), ...shares.slice(0, 3)];
    expect((await combineShares(primitives, set, given)).secret.equals(newSecret())).toBe(true);
  });

  test('shares as dealt, of another secret than the dealer signed for', async () => {
    const { set, shares } = await quorum();
    const lying = { ...set, fingerprint: new Uint8Array(32) };
    expect(await codeOfAsync(() => combineShares(primitives, lying, shares))).toBe('commitment-mismatch');
  });
});

describe('the set', () => {
  const xwing = primitives.decapsulator(new Uint8Array(32).fill(0x5e)).publicKey;
  const ed25519 = primitives.signer(new Uint8Array(32).fill(0x5e)).publicKey;
  const expected = { org, dealer: dealerVerifier, previous: null, publicKey: null };

  test('is bound to dealer, organisation and public key', async () => {
    const { dealt } = await quorum({ kind: 'x-wing-seed' });
    const check = (change: Partial<Parameters<typeof verifyQuorumSet>[2]>) =>
      codeOf(() => verifyQuorumSet(primitives, dealt.set, { ...expected, ...change }));
    expect(check({ publicKey: xwing })).toBeNull();
    expect(check({ publicKey: ed25519 })).toBe('commitment-mismatch');
    const other = primitives.verifier(primitives.signer(new Uint8Array(32).fill(2)).publicKey);
    expect(check({ dealer: other })).toBe('bad-signature');
    expect(check({ org: (org.slice(2) + '00') as typeof org })).toBe('wrong-context');
  });
  test('a secret is found by its kind', async () => {
    for (const [kind, publicKey] of [
      ['key', null],
      ['x-wing-seed', xwing],
      ['ed25519-seed', ed25519],
    ] as const) {
      const { dealt, shares } = await quorum({ kind });
      const set = verifyQuorumSet(primitives, dealt.set, { ...expected, publicKey });
      expect((await combineShares(primitives, set, shares)).secret.equals(newSecret())).toBe(true);
    }
    const { dealt } = await quorum();
    expect(codeOf(() => verifyQuorumSet(primitives, dealt.set, { ...expected, publicKey: xwing }))).toBe(
      'commitment-mismatch',
    );
  });
  test('whose predecessor nobody has is believed by its public key, and only where that is asked for', async () => {
    const first = await quorum({ kind: 'x-wing-seed' });
    const random = seededRandom('alone');
    const shares = first.shares;
    const previous = first.set;
    const holders = ['Ana', 'Farid'];
    const anew = await redealQuorum({
      ...{ primitives, random, signer: dealer, threshold: 2, holders, createdMs: 1, previous, shares },
    });
    const check = (change: Partial<Parameters<typeof verifyQuorumSet>[2]>) =>
      codeOf(() => verifyQuorumSet(primitives, anew.set, { ...expected, ...change }));
    expect(check({ publicKey: xwing, previous: 'any' })).toBeNull();
    expect(check({ publicKey: xwing })).toBe('wrong-context');
    expect(check({ publicKey: ed25519, previous: 'any' })).toBe('commitment-mismatch');
  });
  test('is read without its dealer’s key as it is, whoever signed it', async () => {
    const { dealt, set } = await quorum();
    const wrong = dealt.set.map((byte, at) => (at === dealt.set.length - 1 ? byte ^ 1 : byte));
    expect(parseQuorumSet(primitives, wrong)).toEqual(set);
    expect(codeOf(() => parseQuorumSet(primitives, wrong.slice(1)))).toBe('malformed');
    expect(codeOf(() => parseQuorumSet(primitives, new Uint8Array(32 * 1024 + 1)))).toBe('too-large');
  });
  test('any flipped bit is refused', async () => {
    const { dealt } = await quorum();
    fc.assert(
      fc.property(fc.nat(dealt.set.length - 1), fc.nat(7), (at, bit) => {
        const wrong = dealt.set.slice();
        wrong[at] = (wrong[at] as number) ^ (1 << bit);
        expect(['bad-signature', 'malformed']).toContain(codeOf(() => verify(wrong, null)));
      }),
      { numRuns: 60 },
    );
    expect(codeOf(() => verify(new Uint8Array(32 * 1024 + 1), null))).toBe('too-large');
  });
});

describe('dealing again', () => {
  const again = {
    primitives,
    signer: dealer,
    threshold: 2,
    holders: ['Ana', 'Farid', 'Gwen'],
    createdMs: 1_767_312_000_000,
  };

  test('gives new shares of the same secret, and the old ones do not mix with them', async () => {
    const first = await quorum();
    const random = seededRandom('again');
    const bad = changed(first.shares[4] as Secret, flip(40));
    const shares = [...first.shares.slice(1, 4), bad];
    const second = await redealQuorum({ ...again, random, previous: first.set, shares });
    expect(second.refused).toMatchObject([{ holder: 'Eli', code: 'poisoned-share' }]);
    const set = verify(second.set, first.set);
    const fresh = second.shares.map(({ share }) => share);
    expect((await combineShares(primitives, set, fresh.slice(1))).secret.equals(newSecret())).toBe(true);
    const mixed = [first.shares[0] as Secret, fresh[1] as Secret];
    expect(await codeOfAsync(() => combineShares(primitives, set, mixed))).toBe('too-few-shares');
    expect(second.shares.map(({ holder, index }) => [holder, index])).toEqual([
      ['Ana', 1],
      ['Farid', 2],
      ['Gwen', 3],
    ]);
  });

  test('a set in the place of another is of the same secret, and names it', async () => {
    const first = await quorum();
    const random = seededRandom('again');
    const second = await redealQuorum({ ...again, random, previous: first.set, shares: first.shares });
    expect(codeOf(() => verify(second.set, null))).toBe('wrong-context');
    expect(codeOf(() => verify(second.set, { ...first.set, hash: new Uint8Array(32).fill(1) }))).toBe(
      'wrong-context',
    );
    expect(codeOf(() => verify(first.dealt.set, first.set))).toBe('wrong-context');
    for (const lie of [{ fingerprint: new Uint8Array(32) }, { kind: 'ed25519-seed' as const }])
      expect(codeOf(() => verify(second.set, { ...first.set, ...lie }))).toBe('commitment-mismatch');
  });
});
