import {
  dealQuorum,
  orgId,
  Secret,
  verifyQuorumSet,
  type DealQuorumInput,
  type DealtQuorum,
  type QuorumSet,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { seededRandom } from './seeded-random.ts';

export const org = orgId(new Uint8Array(32).fill(0x0a));
export const dealer = primitives.signer(new Uint8Array(32).fill(0x01));
export const dealerVerifier = primitives.verifier(dealer.publicKey);
export const NAMES = ['Ana', 'Bram', 'Chidi', 'Dunya', 'Eli'];

export const newSecret = (byte = 0x5e): Secret => Secret.own(new Uint8Array(32).fill(byte));
export const copy = (share: Secret): Uint8Array => share.use((bytes) => bytes.slice());

/** A share with some of its bytes changed. */
export function changed(share: Secret, change: (bytes: Uint8Array) => void): Secret {
  const bytes = copy(share);
  change(bytes);
  return Secret.own(bytes);
}

export const dealInput = (overrides: Partial<DealQuorumInput> = {}): DealQuorumInput => ({
  primitives,
  random: seededRandom('quorum'),
  signer: dealer,
  org,
  kind: 'key',
  secret: newSecret(),
  threshold: 3,
  holders: NAMES,
  createdMs: 1_767_225_600_000,
  ...overrides,
});

export interface Quorum {
  readonly dealt: DealtQuorum;
  readonly set: QuorumSet;
  readonly shares: Secret[];
}

/** A set as its members have verified it, and its shares in the order of the holders. */
export async function quorum(overrides: Partial<DealQuorumInput> = {}): Promise<Quorum> {
  const dealt = await dealQuorum(dealInput(overrides));
  const set = verify(dealt.set, null);
  return { dealt, set, shares: dealt.shares.map(({ share }) => share) };
}

export const verify = (wire: Uint8Array, previous: QuorumSet | null): QuorumSet =>
  verifyQuorumSet(primitives, wire, { org, dealer: dealerVerifier, previous, publicKey: null });
