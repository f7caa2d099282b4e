import { deviceId, deviceIdOf, type DeviceId, type MemberId, type Primitives } from '@keytide/crypto-core';
import {
  deviceNoteKey,
  isActive,
  parseEntry,
  witnessesOf,
  type DirectoryState,
  type SignedNote,
} from '@keytide/key-directory';

/** An admin whose cosignature counts, and the device that gave it. */
export interface AdminWitness {
  readonly member: MemberId;
  readonly device: DeviceId;
  /** When the device says that it cosigned, in seconds since 1970. */
  readonly timeSeconds: number;
}

/** Whether the log of this device is witnessed as the policy demands. */
export interface Witnesses {
  /** How many admins must have cosigned lately: as the policy says, and not more than there are; 0 without a demand. */
  readonly needed: number;
  /** Those who have, each member once. */
  readonly cosigned: readonly AdminWitness[];
  readonly isMet: boolean;
}

/** Until when each device is known to have vouched for this log, in seconds since 1970. */
export type Vouched = ReadonlyMap<DeviceId, number>;

/**
 * Measures what is known of cosignatures by the policy of the moment. A member counts once, whatever devices they
 * have, and only while they are an admin and the device is active (docs/spec/directory-service.md, Witnesses).
 */
export function witnessesIn(state: DirectoryState, vouched: Vouched, nowSeconds: number): Witnesses {
  const { witnesses } = state.policy;
  if (witnesses === undefined) return { needed: 0, cosigned: [], isMet: true };
  const needed = Math.min(witnesses.needed, state.actingAdmins.length);
  const newest = new Map<MemberId, AdminWitness>();
  for (const [device, timeSeconds] of vouched) {
    const member = adminOf(state, device);
    if (member === null || timeSeconds < nowSeconds - witnesses.maxAgeSeconds) continue;
    if ((newest.get(member)?.timeSeconds ?? -1) < timeSeconds)
      newest.set(member, { member, device, timeSeconds });
  }
  return { needed, cosigned: [...newest.values()], isMet: newest.size >= needed };
}

/**
 * The admins' devices that have cosigned a note until `latestSeconds`, with the time of each. Lines of anybody else
 * are not looked at.
 * @throws DirectoryError `bad-signature` for a line in the name of such a device that does not hold
 */
export function cosignedBy(
  primitives: Primitives,
  state: DirectoryState,
  note: SignedNote,
  latestSeconds: number,
): Vouched {
  const keys = [...new Set(note.signatures.map(({ name }) => name))].flatMap((name) => {
    const id = /^keytide-device\/v1\/([0-9a-f]{64})$/.exec(name)?.[1];
    const device = id === undefined ? undefined : state.devices.get(deviceId(id));
    if (device === undefined || adminOf(state, device.id) === null) return [];
    return [deviceNoteKey(primitives, device.signingPublicKey)];
  });
  // Of any age: what is too old is for whoever measures, at the time of measuring.
  const policy = { keys, threshold: 1, maxAgeSeconds: latestSeconds };
  const { cosigned } = witnessesOf(primitives, note, policy, latestSeconds, latestSeconds);
  return new Map(
    cosigned.map(({ key, timeSeconds }) => [deviceIdOf(primitives, key.publicKey), timeSeconds]),
  );
}

/** The admin whose active device this is; `null` for anybody else's. */
export function adminOf(state: DirectoryState, device: DeviceId): MemberId | null {
  const member = state.devices.get(device)?.member;
  if (member === undefined || !isActive(state, device)) return null;
  return state.members.get(member)?.role === 'admin' ? member : null;
}

/**
 * Whether an entry may only follow a log that is witnessed. What only takes rights away may not wait: a stolen
 * phone is an attacker now, and an admin who is gone must not keep the others from going on.
 */
export function takesWitnesses(primitives: Primitives, state: DirectoryState, wire: Uint8Array): boolean {
  const { body } = parseEntry(primitives, wire);
  switch (body.kind) {
    case 'revoke-device':
    case 'revoke-invite':
    case 'remove-member':
    case 'wipe':
      return false;
    case 'policy':
      // Nobody cosigns what no relay signs: naming the relay's key is the way out.
      return state.policy.relayKey !== undefined;
    case 'role':
      return body.role === 'admin' || state.members.get(body.member)?.role !== 'admin';
    default:
      return true;
  }
}
