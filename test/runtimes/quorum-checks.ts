import {
  combineShares,
  dealQuorum,
  examineShares,
  orgId,
  printShare,
  readPrintedShare,
  redealQuorum,
  Secret,
  toHex,
  verifyQuorumSet,
  type DealtQuorum,
  type Primitives,
  type QuorumSet,
  type Random,
} from '@keytide/crypto-core';
import { expectEqual, hexBytes, outcomeOf, outcomeOfAsync, type Checks } from './checks.ts';
import { filled } from './example-world.ts';

/** Cases of packages/crypto-core/test/vectors/quorum.json. */
export interface QuorumVectors {
  readonly valid: readonly {
    name: string;
    set: string;
    shares: string[];
    refused: string[];
    secret: string;
  }[];
  readonly invalidShares: readonly { name: string; set: string; shares: string[]; refused: string[] }[];
  readonly invalidSets: readonly { name: string; set: string; code: string }[];
  readonly printed: readonly { share: string; text: string }[];
}

/** The vectors, then a quorum that is dealt here, by providers that are slow as well: two of three. */
export async function checkQuorum(
  checks: Checks,
  primitives: Primitives,
  random: Random,
  vectors: QuorumVectors,
): Promise<Record<string, string>> {
  const signer = primitives.signer(filled(0x01, 32));
  const org = orgId(filled(0x0a, 32));
  const dealer = primitives.verifier(signer.publicKey);
  const verify = (set: Uint8Array, previous: QuorumSet | null = null): QuorumSet =>
    verifyQuorumSet(primitives, set, { org, dealer, previous, publicKey: null });
  const secrets = (shares: readonly string[]): Secret[] => shares.map((share) => Secret.own(hexBytes(share)));
  const refusedBy = (set: QuorumSet, shares: readonly Secret[]): string =>
    examineShares(primitives, set, shares)
      .refused.map(({ position, holder, code }) => `${position} ${holder} ${code}`)
      .join();

  for (const { name, set, shares, refused, secret } of vectors.valid)
    await checks.run(`quorum: ${name}`, async () => {
      const combined = await combineShares(primitives, verify(hexBytes(set)), secrets(shares));
      expectEqual(combined.secret.use(toHex), secret);
      expectEqual(combined.refused.length, refused.length);
    });
  for (const { name, set, shares, refused } of vectors.invalidShares)
    await checks.run(`quorum, refused shares: ${name}`, async () => {
      const verified = verify(hexBytes(set));
      expectEqual(refusedBy(verified, secrets(shares)), refused.join());
      expectEqual(
        await outcomeOfAsync(() => combineShares(primitives, verified, secrets(shares))),
        'too-few-shares',
      );
    });
  for (const { name, set, code } of vectors.invalidSets)
    await checks.run(`quorum, refused set: ${name}`, () =>
      expectEqual(
        outcomeOf(() => verify(hexBytes(set))),
        code,
      ),
    );
  for (const { share, text } of vectors.printed)
    await checks.run(`quorum, printed: ${text.slice(-9)}`, () => {
      expectEqual(printShare(Secret.own(hexBytes(share))), text);
      expectEqual(readPrintedShare(text).use(toHex), share);
    });

  const input = { primitives, random, signer, threshold: 2, createdMs: 1 };
  const dealt: DealtQuorum = await dealQuorum({
    ...input,
    org,
    kind: 'key',
    secret: Secret.own(filled(0x5e, 32)),
    holders: ['Ana', 'Bram', 'Chidi'],
  });
  const [ana, bram, chidi] = dealt.shares.map(({ share }) => share) as [Secret, Secret, Secret];
  await checks.run('quorum: dealt, one share poisoned, combined, dealt again', async () => {
    const set = verify(dealt.set);
    const poisoned = Secret.own(bram.use((bytes) => bytes.map((byte, i) => (i === 65 ? byte ^ 1 : byte))));
    const { secret, refused } = await combineShares(primitives, set, [poisoned, ana, chidi]);
    expectEqual(secret.use(toHex), '5e'.repeat(32));
    expectEqual(refused.map(({ holder, code }) => `${holder} ${code}`).join(), 'Bram poisoned-share');
    const shares = [ana, poisoned];
    expectEqual(await outcomeOfAsync(() => combineShares(primitives, set, shares)), 'too-few-shares');
    const next = await redealQuorum({
      ...input,
      previous: set,
      shares: [bram, chidi],
      holders: ['Dunya', 'Eli'],
    });
    expectEqual(verify(next.set, set).holders.length, 2);
  });
  return {
    quorumSet: toHex(dealt.set),
    shares: [ana, chidi].map((share) => share.use(toHex)).join(' '),
  };
}
