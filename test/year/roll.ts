import {
  parseSealingRecord,
  toHex,
  type DeviceId,
  type MemberId,
  type Primitives,
  type SealingRecord,
} from '@keytide/crypto-core';
import { inviteIdOf, parseEntry, type EntryBody, type Policy, type Role } from '@keytide/key-directory';

/** The organisation after so many entries. */
export interface Roll {
  readonly policy: Policy;
  readonly roles: ReadonlyMap<MemberId, Role>;
  /** Whose each active device is. */
  readonly active: ReadonlyMap<DeviceId, MemberId>;
}

/** An epoch's keys that an admin's device was recorded to have given. */
export interface Given {
  /** Place of the entry in the log. */
  readonly index: number;
  readonly author: DeviceId;
  readonly device: DeviceId;
  /** Names the request, as the device that asked does. */
  readonly request: string;
  readonly first: number;
  readonly last: number;
}

type Change = {
  -readonly [K in keyof Roll]: Roll[K] extends ReadonlyMap<infer A, infer B> ? Map<A, B> : Roll[K];
};

/**
 * Reads a membership log that everybody has accepted, for what docs/spec/membership-log.md says of each entry. It
 * judges nothing: whether an entry is allowed is the clients' business and other tests'.
 */
export class Rolls {
  readonly grants: Given[] = [];
  /** The devices that were told to destroy everything, and whether they were active until then. */
  readonly wiped = new Map<DeviceId, boolean>();
  /** The place of the newest entry since which a member may be given keys: the admission, or an order to wipe. */
  readonly entitledSince = new Map<MemberId, number>();
  /** The members whose devices were told so, and not only one of them. */
  readonly wipedMembers = new Set<MemberId>();
  /** Who signed each entry, and when. */
  readonly signings: { readonly author: DeviceId; readonly timeMs: number }[] = [];
  /** Whose each device is or was. */
  readonly owners = new Map<DeviceId, MemberId>();
  /** The first sealing record of each device. */
  readonly firstKeys = new Map<DeviceId, SealingRecord>();
  readonly #primitives: Primitives;
  readonly #rolls: Roll[] = [];
  readonly #invites = new Map<string, Role | MemberId>();
  /** The place of the newest order to everyone but those who have been admins ever since before it. */
  #everyoneWipedAt = 0;

  constructor(primitives: Primitives) {
    this.#primitives = primitives;
  }

  get size(): number {
    return this.#rolls.length;
  }

  /** The organisation after `size` entries. */
  at(size: number): Roll {
    const roll = this.#rolls[size - 1];
    if (roll === undefined) throw new Error(`no roll of ${size} entries`);
    return roll;
  }

  get newest(): Roll {
    return this.at(this.size);
  }

  read(wires: readonly Uint8Array[]): void {
    for (let wire = wires[this.size]; wire !== undefined; wire = wires[this.size]) {
      const { author, timeMs, body } = parseEntry(this.#primitives, wire);
      this.signings.push({ author, timeMs });
      this.#apply(author, body);
    }
  }

  #apply(author: DeviceId, body: EntryBody): void {
    const before = this.#rolls[this.size - 1];
    const index = this.size;
    const next: Change = {
      policy: 'policy' in body ? body.policy : (before as Roll).policy,
      roles: new Map(before?.roles),
      active: new Map(before?.active),
    };
    const comes = (member: MemberId, sealingRecord: Uint8Array): void => {
      next.active.set(author, member);
      this.owners.set(author, member);
      this.firstKeys.set(author, parseSealingRecord(sealingRecord));
    };
    const goes = (test: (device: DeviceId, member: MemberId) => boolean): void => {
      for (const [device, member] of next.active) if (test(device, member)) next.active.delete(device);
    };
    switch (body.kind) {
      case 'genesis':
        next.roles.set(body.member, 'admin');
        this.entitledSince.set(body.member, index);
        comes(body.member, body.sealingRecord);
        break;
      case 'invite':
        this.#invites.set(inviteIdOf(this.#primitives, body.publicKey), body.role);
        break;
      case 'invite-device':
        this.#invites.set(inviteIdOf(this.#primitives, body.publicKey), body.member);
        break;
      case 'join':
        next.roles.set(body.member, this.#invites.get(body.invite) as Role);
        this.entitledSince.set(body.member, index);
        comes(body.member, body.sealingRecord);
        break;
      case 'add-device':
        comes(this.#invites.get(body.invite) as MemberId, body.sealingRecord);
        break;
      case 'revoke-device':
        goes((device) => device === body.device);
        break;
      case 'remove-member':
        next.roles.delete(body.member);
        goes((_, member) => member === body.member);
        break;
      case 'role':
        next.roles.set(body.member, body.role);
        this.#entitle(body.member, this.#everyoneWipedAt);
        break;
      case 'wipe': {
        const { target } = body;
        if (target.of === 'everyone-but-admins') this.#everyoneWipedAt = index;
        const isMeant = (device: DeviceId, member: MemberId): boolean =>
          target.of === 'device'
            ? device === target.device
            : target.of === 'member'
              ? member === target.member
              : next.roles.get(member) !== 'admin';
        for (const [device, member] of this.owners)
          if (isMeant(device, member) && !this.wiped.has(device))
            this.wiped.set(device, next.active.has(device));
        goes(isMeant);
        for (const [member, role] of next.roles) {
          const isReached =
            target.of === 'member' ? member === target.member : target.of !== 'device' && role !== 'admin';
          if (!isReached) continue;
          this.#entitle(member, index);
          this.wipedMembers.add(member);
        }
        break;
      }
      case 'grant': {
        const { device, firstEpoch: first, lastEpoch: last } = body;
        this.grants.push({ index, author, device, request: toHex(body.request), first, last });
        break;
      }
    }
    this.#rolls.push(next);
  }

  #entitle(member: MemberId, since: number): void {
    this.entitledSince.set(member, Math.max(since, this.entitledSince.get(member) ?? 0));
  }
}
