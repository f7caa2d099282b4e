import {
  orgId,
  signBytes,
  type EntryHash,
  type MemberId,
  type OrgId,
  type Primitives,
  type Random,
  type Signer,
} from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import {
  applyEntry,
  createGenesis,
  deviceClaim,
  inviteIdOf,
  joinClaim,
  newMemberId,
  parseEntry,
  publishKeys,
  replay,
  signEntry,
  type DirectoryState,
  type EntryBody,
  type Policy,
  type Role,
  type WriteContext,
} from '@keytide/key-directory';
import { fakeClock, type FakeClock } from './fake-clock.ts';
import { seededDevice, type SeededDevice } from './seeded-device.ts';
import { seededRandom } from './seeded-random.ts';

/** What to build. */
export interface WorldOptions {
  readonly seed: string;
  /** At least 1; the first is the founder. */
  readonly members: number;
  /** Of each member; 1 when left out. */
  readonly devicesPerMember?: number;
  /** How many of the members are admins, the founder first; 1 when left out. */
  readonly admins?: number;
  readonly startMs?: number;
  readonly policy?: Policy;
}

/** A person of a world. */
export interface SeededMember {
  readonly id: MemberId;
  readonly handle: string;
  /** At least one. */
  readonly devices: readonly [SeededDevice, ...SeededDevice[]];
}

/** An organisation with all its secrets, the same on every run with the same options. */
export interface SeededWorld {
  readonly primitives: Primitives;
  /** Goes on after what building the world took. */
  readonly random: Random;
  readonly clock: FakeClock;
  readonly org: OrgId;
  /** The members that the world was built with, the founder first. */
  readonly members: readonly [SeededMember, ...SeededMember[]];
  /** The log so far. */
  readonly wires: readonly Uint8Array[];
  /** The log's newest state. */
  readonly state: DirectoryState;
  /** What builders need to write as this device, now, on the newest state. */
  as(device: SeededDevice): WriteContext;
  /** Adds an entry to the log. @throws DirectoryError when the rules refuse it; the world stays as it was */
  append(wire: Uint8Array): DirectoryState;
}

const DAY_SECONDS = 24 * 60 * 60;
const START_MS = Date.UTC(2030, 0, 1);
const POLICY: Policy = {
  blockSeconds: DAY_SECONDS,
  retentionSeconds: 7 * DAY_SECONDS,
  exportSeconds: 30 * DAY_SECONDS,
};

/** Builds an organisation in which every member but the founder joined with an invite. */
export function seededWorld(options: WorldOptions): SeededWorld {
  const { members: count, devicesPerMember = 1, admins = 1, startMs = START_MS } = options;
  const random = seededRandom(options.seed);
  const clock = fakeClock(startMs);
  const device = (): SeededDevice => seededDevice(nodePrimitives, random, startMs);
  const log = new WorldLog(startMs);

  const members: SeededMember[] = [];
  for (let i = 0; i < count; i += 1) {
    const handle = `member-${i}`;
    const first = device();
    const role = i < admins ? 'admin' : 'member';
    const founder = members[0];
    const id =
      founder === undefined
        ? log.found(first, random, handle, options.policy ?? POLICY)
        : log.admit(founder.devices[0], first, random, { handle, role });
    const more = Array.from({ length: devicesPerMember - 1 }, device);
    for (const extra of more) log.addDevice(first, id, extra, random);
    members.push({ id, handle, devices: [first, ...more] });
  }

  const wires = log.wires;
  let state = replay(nodePrimitives, wires);
  return {
    primitives: nodePrimitives,
    random,
    clock,
    org: state.org,
    members: members as [SeededMember, ...SeededMember[]],
    wires,
    get state() {
      return state;
    },
    as: ({ signer }) => ({ primitives: nodePrimitives, state, signer, nowMs: clock.now() }),
    append(wire) {
      state = applyEntry(nodePrimitives, state, wire);
      wires.push(wire);
      return state;
    },
  };
}

/**
 * Writes entries without asking the rules each time, so that a large world is built in linear time; the one
 * replay at the end judges them all.
 */
class WorldLog {
  readonly wires: Uint8Array[] = [];
  readonly #timeMs: number;
  #head: EntryHash | null = null;
  #org: OrgId | null = null;

  constructor(timeMs: number) {
    this.#timeMs = timeMs;
  }

  found(device: SeededDevice, random: Random, handle: string, policy: Policy): MemberId {
    const nowMs = this.#timeMs;
    const wire = createGenesis({
      primitives: nodePrimitives,
      random,
      device: device.own,
      handle,
      policy,
      nowMs,
    });
    const { body } = this.#push(wire);
    if (body.kind !== 'genesis') throw new Error('the first entry is the genesis');
    return body.member;
  }

  admit(
    admin: SeededDevice,
    device: SeededDevice,
    random: Random,
    person: { handle: string; role: Role },
  ): MemberId {
    const invite = nodePrimitives.signer(random(32));
    const expiresMs = this.#timeMs + DAY_SECONDS * 1000;
    this.#write(admin.signer, {
      kind: 'invite',
      publicKey: invite.publicKey,
      role: person.role,
      expiresMs,
    });
    const member = newMemberId(random);
    const keys = publishKeys(nodePrimitives, device.own);
    const claim = joinClaim({ ...this.#place(), member, handle: person.handle, ...keys });
    this.#write(device.signer, {
      kind: 'join',
      invite: inviteIdOf(nodePrimitives, invite.publicKey),
      member,
      handle: person.handle,
      ...keys,
      inviteSignature: signBytes(nodePrimitives, invite, 'inviteSignature', claim),
    });
    return member;
  }

  addDevice(author: SeededDevice, member: MemberId, device: SeededDevice, random: Random): void {
    const invite = nodePrimitives.signer(random(32));
    const keys = publishKeys(nodePrimitives, device.own);
    const { publicKey } = invite;
    const expiresMs = this.#timeMs + DAY_SECONDS * 1000;
    this.#write(author.signer, { kind: 'invite-device', publicKey, member, expiresMs });
    const claim = deviceClaim({ ...this.#place(), member, ...keys });
    const inviteSignature = signBytes(nodePrimitives, invite, 'inviteSignature', claim);
    const id = inviteIdOf(nodePrimitives, publicKey);
    this.#write(device.signer, { kind: 'add-device', invite: id, ...keys, inviteSignature });
  }

  #place(): { org: OrgId; previousHash: EntryHash } {
    return { org: this.#org as OrgId, previousHash: this.#head as EntryHash };
  }

  #write(signer: Signer, body: EntryBody): void {
    const place = { ...this.#place(), index: this.wires.length, timeMs: this.#timeMs };
    this.#push(signEntry(nodePrimitives, signer, { ...place, body }));
  }

  #push(wire: Uint8Array): { body: EntryBody } {
    const entry = parseEntry(nodePrimitives, wire);
    this.wires.push(wire);
    this.#head = entry.hash;
    this.#org ??= orgId(entry.hash);
    return entry;
  }
}
