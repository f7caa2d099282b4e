import { signBytes, type DeviceId, type MemberId } from '@keytide/crypto-core';
import {
  acceptDeviceInvite,
  acceptInvite,
  applyEntry,
  createDeviceInvite,
  createInvite,
  deviceClaim,
  DirectoryError,
  encodeEntry,
  encodeEntryWire,
  inviteIdOf,
  joinClaim,
  newMemberId,
  publishKeys,
  type BodyOf,
  type CreatedInvite,
  type DirectoryState,
  type EntryBody,
  type EntryFields,
  type Role,
} from '@keytide/key-directory';
import { seededDevice, type SeededDevice, type SeededWorld } from '@keytide/testkit';
import { IdMap } from '../src/id-map.ts';

export const HOUR_MS: number = 60 * 60 * 1000;

/** The wire of an entry that continues the world's log and is signed by `author`, whatever the rules think of it. */
export function forge(
  world: SeededWorld,
  author: SeededDevice,
  body: EntryBody,
  other: Partial<EntryFields> & { claimedAuthor?: DeviceId } = {},
): Uint8Array {
  const { claimedAuthor = author.id, ...fields } = other;
  const bytes = encodeEntry({
    org: world.org,
    index: world.state.size,
    previousHash: world.state.headHash,
    timeMs: world.clock.now(),
    body,
    ...fields,
    author: claimedAuthor,
  });
  const signature = signBytes(world.primitives, author.signer, 'entrySignature', bytes);
  return encodeEntryWire(bytes, [{ device: claimedAuthor, signature }]);
}

/** The code with which the rules refuse an entry, or `null`; checks that the state stays as it was. */
export function refusal(world: SeededWorld, wire: Uint8Array): string | null {
  const before = digest(world.state);
  let code: string | null = null;
  try {
    applyEntry(world.primitives, world.state, wire);
  } catch (error) {
    code = codeOf(error);
  }
  if (digest(world.state) !== before) throw new Error('a judged entry changed the state it was judged on');
  return code;
}

/** The code with which `work` refuses; `null` when it does not. */
export function codeFrom(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return codeOf(error);
  }
}

/** The error with which `work` refuses. */
export function errorFrom(work: () => unknown): DirectoryError {
  try {
    work();
  } catch (error) {
    if (error instanceof DirectoryError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

/** Everything in a state as text, for comparison. */
export function digest(state: DirectoryState): string {
  return JSON.stringify(state, (_, value: unknown) => {
    if (value instanceof IdMap) return value.keys().map((id) => [id, value.get(id)]);
    if (value instanceof Uint8Array) return Array.from(value).join(',');
    return value;
  });
}

/** A device that is in no log yet. */
export function stranger(world: SeededWorld): SeededDevice {
  return seededDevice(world.primitives, world.random, world.clock.now());
}

/** Appends an invite by the founder, or by `by`. */
export function invite(world: SeededWorld, role: Role = 'member', by?: SeededDevice): CreatedInvite {
  const { random } = world;
  const expiresMs = world.clock.now() + HOUR_MS;
  const created = createInvite({
    ...world.as(by ?? world.members[0].devices[0]),
    random,
    role,
    expiresMs,
  });
  world.append(created.wire);
  return created;
}

/** The wire of an honest join. */
export function join(
  world: SeededWorld,
  created: CreatedInvite,
  device: SeededDevice,
  member?: MemberId,
): Uint8Array {
  const { primitives, random, state, clock } = world;
  return acceptInvite({
    primitives,
    random,
    state,
    seed: created.seed,
    device: device.own,
    handle: 'newcomer',
    ...(member === undefined ? {} : { member }),
    nowMs: clock.now(),
  });
}

/** Appends an invite for a device of `member` by `author`. */
export function inviteDevice(world: SeededWorld, author: SeededDevice, member: MemberId): CreatedInvite {
  const expiresMs = world.clock.now() + HOUR_MS;
  const created = createDeviceInvite({ ...world.as(author), random: world.random, member, expiresMs });
  world.append(created.wire);
  return created;
}

/** Appends an invite for a device of `member` by `author`; the wire of the honest add-device that follows. */
export function addDevice(
  world: SeededWorld,
  author: SeededDevice,
  member: MemberId,
  device: SeededDevice,
): Uint8Array {
  return acceptDevice(world, inviteDevice(world, author, member), device);
}

/** The wire of an honest add-device. */
export function acceptDevice(world: SeededWorld, created: CreatedInvite, device: SeededDevice): Uint8Array {
  return acceptDeviceInvite({ ...world.as(device), seed: created.seed, device: device.own });
}

/** A join's body that is signed as it should be, apart from what `other` says before or after signing. */
export function joinBody(
  world: SeededWorld,
  created: CreatedInvite,
  device: SeededDevice,
  other: { signed?: Partial<BodyOf<'join'>>; swapped?: Partial<BodyOf<'join'>> } = {},
): BodyOf<'join'> {
  const { primitives, random, state } = world;
  const key = created.seed.use((seed) => primitives.signer(seed));
  const body = {
    kind: 'join' as const,
    invite: inviteIdOf(primitives, key.publicKey),
    member: newMemberId(random),
    handle: 'newcomer',
    ...publishKeys(primitives, device.own),
    ...other.signed,
  };
  const claim = joinClaim({ ...body, org: state.org, previousHash: state.headHash });
  const inviteSignature = signBytes(primitives, key, 'inviteSignature', claim);
  return { ...body, inviteSignature, ...other.swapped };
}

/** An add-device body, as `joinBody`; `member` is whom the invite's key signs for. */
export function addDeviceBody(
  world: SeededWorld,
  created: CreatedInvite,
  device: SeededDevice,
  other: {
    member: MemberId;
    signed?: Partial<BodyOf<'add-device'>>;
    swapped?: Partial<BodyOf<'add-device'>>;
  },
): BodyOf<'add-device'> {
  const { primitives, state } = world;
  const key = created.seed.use((seed) => primitives.signer(seed));
  const body = {
    kind: 'add-device' as const,
    invite: created.id,
    ...publishKeys(primitives, device.own),
    ...other.signed,
  };
  const claim = deviceClaim({
    ...body,
    member: other.member,
    org: state.org,
    previousHash: state.headHash,
  });
  return { ...body, inviteSignature: signBytes(primitives, key, 'inviteSignature', claim), ...other.swapped };
}

function codeOf(error: unknown): string {
  if (error instanceof DirectoryError) return error.code;
  throw error;
}
