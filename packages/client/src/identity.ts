import {
  decodeCbor,
  encodeCbor,
  equalBytes,
  idBytes,
  memberId,
  orgId,
  Secret,
  type CborValue,
  type KeyStore,
  type MemberId,
  type OrgId,
  type Primitives,
  type Random,
} from '@keytide/crypto-core';
import type { Checkpoint } from '@keytide/key-directory';
import { anchorChange } from './directory-replica.ts';
import { ClientError } from './errors.ts';

/** Who this device is: the secrets its keys are made from, and where it belongs. */
export interface Identity {
  readonly org: OrgId;
  readonly relayUrl: string;
  readonly member: MemberId;
  /** Ed25519 seed, 32 bytes. */
  readonly signingSeed: Secret;
  /** Seed of the first sealing key (X-Wing), 32 bytes; `null` once its time was over. */
  readonly sealingSeed: Secret | null;
}

/** What must still happen before the organisation knows this device. Kept so that a crash loses no invite. */
export type Pending =
  | { readonly kind: 'genesis'; readonly wire: Uint8Array }
  | { readonly kind: 'join'; readonly link: string; readonly handle: string | null }
  /** `key`: the recovery key, Ed25519, 32 bytes. Its seed is not kept. */
  | { readonly kind: 'recovery'; readonly key: Uint8Array };

const IDENTITY = 'identity';
const PENDING = 'pending';
const JOINED_BY = 'joined-by';
const MAX_BYTES = 128 * 1024;

/** Fresh seeds for a new device. */
export function createSeeds(random: Random): { signingSeed: Secret; sealingSeed: Secret } {
  return { signingSeed: Secret.own(random(32)), sealingSeed: Secret.own(random(32)) };
}

/** Stores a new identity, what is still to be done, and a checkpoint its log must contain, in one atomic write. */
export async function saveIdentity(
  keyStore: KeyStore,
  identity: Identity,
  pending: Pending,
  anchor: Checkpoint | null,
): Promise<void> {
  await keyStore.write([
    { name: IDENTITY, value: encodeIdentity(identity) },
    { name: PENDING, value: encodePending(pending) },
    ...(anchor === null ? [] : [anchorChange(anchor)]),
  ]);
}

/**
 * Marks the device as known to its organisation, as whose device it turned out to be; a join remembers by which
 * link, not the link itself, and a recovery by which key.
 */
export async function clearPending(
  keyStore: KeyStore,
  primitives: Primitives,
  identity: Identity,
  pending: Pending,
): Promise<void> {
  // From what is stored: the first sealing key can have been deleted since this identity was read.
  const stored = (await loadIdentity(keyStore))?.identity ?? identity;
  await keyStore.write([
    { name: IDENTITY, value: encodeIdentity({ ...stored, member: identity.member }) },
    { name: PENDING, value: null },
    ...(pending.kind === 'genesis' ? [] : [{ name: JOINED_BY, value: hashOf(primitives, wayIn(pending)) }]),
  ]);
}

/** Deletes the seed of the first sealing key. */
export async function forgetSealingSeed(keyStore: KeyStore): Promise<void> {
  const stored = await loadIdentity(keyStore);
  if (stored === null) return;
  await keyStore.write([
    { name: IDENTITY, value: encodeIdentity({ ...stored.identity, sealingSeed: null }) },
  ]);
}

/** Whether this device is in its organisation by this very link or key: then using it again changes nothing. */
export async function wasJoinedBy(
  keyStore: KeyStore,
  primitives: Primitives,
  way: string | Uint8Array,
): Promise<boolean> {
  const stored = await keyStore.get(JOINED_BY);
  return stored !== null && equalBytes(stored, hashOf(primitives, way));
}

function wayIn(pending: Exclude<Pending, { kind: 'genesis' }>): string | Uint8Array {
  return pending.kind === 'join' ? pending.link : pending.key;
}

/** The stored identity, or `null` in an empty store. @throws ClientError `store-damaged` */
export async function loadIdentity(
  keyStore: KeyStore,
): Promise<{ identity: Identity; pending: Pending | null } | null> {
  const stored = await keyStore.get(IDENTITY);
  if (stored === null) return null;
  const [version, org, relayUrl, member, signingSeed, sealingSeed] = fields(stored);
  const isIdentity =
    version === 1 &&
    org instanceof Uint8Array &&
    typeof relayUrl === 'string' &&
    member instanceof Uint8Array &&
    signingSeed instanceof Uint8Array &&
    (sealingSeed === null || sealingSeed instanceof Uint8Array);
  if (!isIdentity) throw new ClientError('store-damaged', 'the stored identity is not one');
  const pending = await keyStore.get(PENDING);
  return {
    identity: {
      org: orgId(org),
      relayUrl,
      member: memberId(member),
      signingSeed: Secret.own(signingSeed),
      sealingSeed: sealingSeed === null ? null : Secret.own(sealingSeed),
    },
    pending: pending === null ? null : decodePending(pending),
  };
}

function encodeIdentity(identity: Identity): Uint8Array {
  const { org, relayUrl, member, signingSeed, sealingSeed } = identity;
  const encode = (sealing: Uint8Array | null): Uint8Array =>
    signingSeed.use((signing) => encodeCbor([1, idBytes(org), relayUrl, idBytes(member), signing, sealing]));
  return sealingSeed === null ? encode(null) : sealingSeed.use(encode);
}

function encodePending(pending: Pending): Uint8Array {
  switch (pending.kind) {
    case 'genesis':
      return encodeCbor([1, 'genesis', pending.wire]);
    case 'join':
      return encodeCbor([1, 'join', pending.link, pending.handle]);
    case 'recovery':
      return encodeCbor([1, 'recovery', pending.key]);
  }
}

function decodePending(stored: Uint8Array): Pending {
  const [version, kind, first, second] = fields(stored);
  if (version === 1 && kind === 'genesis' && first instanceof Uint8Array) return { kind, wire: first };
  if (version === 1 && kind === 'recovery' && first instanceof Uint8Array) return { kind, key: first };
  if (
    version === 1 &&
    kind === 'join' &&
    typeof first === 'string' &&
    (second === null || typeof second === 'string')
  ) {
    return { kind, link: first, handle: second };
  }
  throw new ClientError('store-damaged', 'the stored note of an unfinished join or recovery is not one');
}

function hashOf(primitives: Primitives, way: string | Uint8Array): Uint8Array {
  return primitives.sha256(encodeCbor(way));
}

function fields(stored: Uint8Array): readonly CborValue[] {
  const value = decodeCbor(stored, MAX_BYTES);
  return Array.isArray(value) ? (value as readonly CborValue[]) : [];
}
