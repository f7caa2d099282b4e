import { CryptoError } from '../errors.ts';
import { deviceIdOf, type OrgId } from '../ids.ts';
import type { Primitives, Random, Signer } from '../primitives.ts';
import type { Secret } from '../secret.ts';
import { combineShares, type RefusedShare } from './combine.ts';
import { secretFingerprint, type QuorumSecretKind } from './fingerprint.ts';
import { encodeQuorumSet, MAX_HOLDERS, type QuorumSet } from './set.ts';
import { encodeShare, SALT_BYTES, shareCommitment, VALUE_BYTES } from './share.ts';
import { splitSecret } from './shamir.ts';

/** What `dealQuorum` and `redealQuorum` both need. */
interface DealInput {
  readonly primitives: Primitives;
  readonly random: Random;
  /** The dealing device's signing key. */
  readonly signer: Signer;
  /** M: how many shares give the secret, at least 2. */
  readonly threshold: number;
  /** The names of the N holders, 2 to 64 of them. Who holds two shares stands here twice. */
  readonly holders: readonly string[];
  readonly createdMs: number;
}

/** Input of `dealQuorum`. */
export interface DealQuorumInput extends DealInput {
  readonly org: OrgId;
  readonly kind: QuorumSecretKind;
  /** 32 bytes, uniformly random; stays the caller's to dispose. */
  readonly secret: Secret;
}

/** Input of `redealQuorum`. */
export interface RedealQuorumInput extends DealInput {
  readonly previous: QuorumSet;
  /** Shares of `previous`, at least its threshold of good ones. */
  readonly shares: readonly Secret[];
}

/** A fresh set: what to publish, and what to hand to each holder and then to dispose. */
export interface DealtQuorum {
  /** The signed set, for everyone. */
  readonly set: Uint8Array;
  /** In the order of the holders: 66 bytes each, for that holder only. */
  readonly shares: readonly { readonly index: number; readonly holder: string; readonly share: Secret }[];
}

/**
 * Splits a secret of 32 bytes among holders, M of whom can put it together again: docs/spec/quorum.md.
 * @throws CryptoError `bad-key` for a secret of another length; `malformed` for M, N or a name that cannot be
 */
export async function dealQuorum(input: DealQuorumInput): Promise<DealtQuorum> {
  return deal(input, null);
}

/**
 * Splits the same secret anew, among other holders or with another threshold. The shares of `previous` still
 * open it: they end only when M or more of them are destroyed. Holds the secret while it works.
 * @throws CryptoError as `combineShares` and `dealQuorum`
 */
export async function redealQuorum(
  input: RedealQuorumInput,
): Promise<DealtQuorum & { refused: readonly RefusedShare[] }> {
  const { primitives, previous, shares } = input;
  const { secret, refused } = await combineShares(primitives, previous, shares);
  try {
    const dealt = await deal({ ...input, org: previous.org, kind: previous.kind, secret }, previous);
    return { ...dealt, refused };
  } finally {
    secret.dispose();
  }
}

async function deal(input: DealQuorumInput, previous: QuorumSet | null): Promise<DealtQuorum> {
  const { primitives, random, secret, threshold, holders } = input;
  if (secret.use((bytes) => bytes.length) !== VALUE_BYTES)
    throw new CryptoError('bad-key', `a shared secret has ${VALUE_BYTES} bytes`);
  if (holders.length > MAX_HOLDERS || !(threshold >= 2 && threshold <= holders.length))
    throw new CryptoError('malformed', `2 ≤ threshold ≤ holders ≤ ${MAX_HOLDERS}`);
  const setId = random(16);
  const values = await secret.use((bytes) => splitSecret(random, bytes, threshold, holders.length));
  const fields = values.map((value, i) => ({ setId, index: i + 1, salt: random(SALT_BYTES), value }));
  const set = encodeQuorumSet(primitives, input.signer, {
    org: input.org,
    setId,
    previous: previous?.hash ?? null,
    kind: input.kind,
    fingerprint: secretFingerprint(primitives, input.kind, secret),
    threshold,
    holders: fields.map((share, i) => ({
      name: holders[i] as string,
      commitment: shareCommitment(primitives, share),
    })),
    dealer: deviceIdOf(primitives, input.signer.publicKey),
    createdMs: input.createdMs,
  });
  const shares = fields.map((share, i) => ({
    index: share.index,
    holder: holders[i] as string,
    share: encodeShare(share),
  }));
  for (const value of values) value.fill(0);
  return { set, shares };
}
