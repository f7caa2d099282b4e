import { signBytes, type MemberId, type Primitives, type Signer } from '@keytide/crypto-core';
import {
  deviceClaim,
  inviteIdOf,
  joinClaim,
  newMemberId,
  publishKeys,
  replay,
  signEntry,
  type DirectoryState,
  type EntryBody,
} from '@keytide/key-directory';
import type { SeededDevice } from '../seeded-device.ts';
import { seededRandom } from '../seeded-random.ts';
import { forgeMembershipLog, type RelayKey } from './membership-log.ts';
import type { HostileRelay } from './relay.ts';

/** An entry that continues the log and is signed by `signer`, whoever that is, without asking the rules. */
export function forgeEntry(
  primitives: Primitives,
  state: DirectoryState,
  signer: Signer,
  body: EntryBody,
): Uint8Array {
  const { org, size, headHash, timeMs } = state;
  return signEntry(primitives, signer, {
    org,
    index: size,
    previousHash: headHash,
    timeMs: timeMs + 1,
    body,
  });
}

/** The entry with which a ghost joins as a member, by an invite that nobody issued and the ghost signs itself. */
export function forgeJoin(primitives: Primitives, state: DirectoryState, ghost: SeededDevice): Uint8Array {
  const { org, headHash: previousHash } = state;
  const member = newMemberId(seededRandom(`ghost ${ghost.id}`));
  const keys = publishKeys(primitives, ghost.own);
  const claim = joinClaim({ org, previousHash, member, handle: 'ghost', ...keys });
  return forgeEntry(primitives, state, ghost.signer, {
    kind: 'join',
    invite: inviteIdOf(primitives, ghost.signer.publicKey),
    member,
    handle: 'ghost',
    ...keys,
    inviteSignature: signBytes(primitives, ghost.signer, 'inviteSignature', claim),
  });
}

/** The entry with which a ghost becomes another device of a true member, by an invite that nobody issued. */
export function forgeAddDevice(
  primitives: Primitives,
  state: DirectoryState,
  ghost: SeededDevice,
  member: MemberId,
): Uint8Array {
  const { org, headHash: previousHash } = state;
  const keys = publishKeys(primitives, ghost.own);
  const claim = deviceClaim({ org, previousHash, member, ...keys });
  return forgeEntry(primitives, state, ghost.signer, {
    kind: 'add-device',
    invite: inviteIdOf(primitives, ghost.signer.publicKey),
    ...keys,
    inviteSignature: signBytes(primitives, ghost.signer, 'inviteSignature', claim),
  });
}

/** Whom a ghost comes in with. */
export interface GhostAim {
  readonly primitives: Primitives;
  readonly ghost: SeededDevice;
  /** Another device of this member; a member of its own where `null`. */
  readonly member: MemberId | null;
  readonly key?: RelayKey;
}

/**
 * Adds a device that the attacker has made to the membership log that one device is shown, as the newest entry at
 * the next read.
 *
 * The attacker has the ghost's keys and, with `key`, the relay's. A sound client refuses the entry, because no invite
 * of the log let the device in, and seals nothing to it; with `key`, the relay's signature over it is the proof.
 */
export function addGhost(relay: HostileRelay, victim: string, aim: GhostAim): () => void {
  const { primitives, ghost, member, key } = aim;
  let shown: readonly Uint8Array[] | null = null;
  const entryAfter = (wires: readonly Uint8Array[]): Uint8Array => {
    const state = replay(primitives, wires);
    return member === null
      ? forgeJoin(primitives, state, ghost)
      : forgeAddDevice(primitives, state, ghost, member);
  };
  return forgeMembershipLog(relay, victim, (wires) => (shown ??= [...wires, entryAfter(wires)]), key);
}
