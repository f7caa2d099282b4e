import {
  deviceIdOf,
  entryHash,
  labelledHash,
  memberId,
  orgId,
  signBytes,
  type DeviceId,
  type EntryHash,
  type MemberId,
  type OrgId,
  type Signer,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import {
  encodeEntry,
  inviteIdOf,
  joinClaim,
  publishKeys,
  signEntry,
  type DeviceKeys,
  type EntryBody,
  type Role,
} from '@keytide/key-directory';

/** Whoever can sign for a device. */
interface Person {
  readonly member: MemberId;
  readonly device: DeviceId;
  readonly signer: Signer;
}

/** What another process needs to be the relay, and the admins' devices, of the organisation. */
export interface Secrets {
  readonly org: OrgId;
  /** Ed25519 seeds as hex: they are for this run only. */
  readonly relaySeed: string;
  readonly adminSeeds: readonly string[];
}

const DAY_MS = 24 * 60 * 60 * 1000;
const ADMINS = 3;
/** Of so many joins, one is followed by a device that goes and by another role. */
const JOINS_PER_CHANGE = 20;

/**
 * An organisation that grows, every key fresh and every entry signed; nothing is judged here, whoever reads the
 * log judges all of it. One device a member, so that the map is as large as it gets for so many devices. It
 * founds itself with three admins, whose cosignatures its policy demands.
 */
export class Organisation {
  readonly secrets: Secrets;
  activeDevices = 0;
  readonly #put: (wire: Uint8Array) => void;
  readonly #founder: Person;
  readonly #startMs = Date.now() - DAY_MS;
  #org: OrgId | null = null;
  #size = 0;
  #head: EntryHash | null = null;
  #joins = 0;

  /** `put` takes the wires, in order. */
  constructor(put: (wire: Uint8Array) => void) {
    this.#put = put;
    const relaySeed = random(32);
    const adminSeeds = Array.from({ length: ADMINS }, () => random(32));
    const founder = personOf(adminSeeds[0] as Uint8Array);
    this.#founder = founder;
    const policy = {
      blockSeconds: 86_400,
      retentionSeconds: 604_800,
      exportSeconds: 2_592_000,
      relayKey: primitives.signer(relaySeed).publicKey,
      witnesses: { needed: ADMINS, maxAgeSeconds: 86_400 },
    };
    const { member } = founder;
    const genesis = { kind: 'genesis', random: random(32), policy, member, handle: 'admin 1' } as const;
    this.#write(founder.signer, { ...genesis, ...this.#keysOf(founder) });
    this.#org = orgId(this.#head as EntryHash);
    this.activeDevices = 1;
    for (const [i, seed] of adminSeeds.slice(1).entries())
      this.#admit(personOf(seed), 'admin', `admin ${i + 2}`);
    const toHex = (seed: Uint8Array): string => Buffer.from(seed).toString('hex');
    this.secrets = { org: this.#org, relaySeed: toHex(relaySeed), adminSeeds: adminSeeds.map(toHex) };
  }

  /** How many entries the log has. */
  get size(): number {
    return this.#size;
  }

  /** One more member comes in with one device; now and then another device goes, and another role is given. */
  grow(): void {
    const person = personOf(random(32));
    this.#admit(person, 'member', `responder ${this.#size}`);
    this.#joins += 1;
    const turn = this.#joins % JOINS_PER_CHANGE;
    if (turn === JOINS_PER_CHANGE / 2)
      this.#write(this.#founder.signer, { kind: 'role', member: person.member, role: 'exporter' });
    if (turn !== 0) return;
    this.#write(this.#founder.signer, { kind: 'revoke-device', device: person.device });
    this.activeDevices -= 1;
  }

  #admit(person: Person, role: Role, handle: string): void {
    const invite = primitives.signer(random(32));
    const { publicKey } = invite;
    const expiresMs = this.#startMs + 7 * DAY_MS;
    this.#write(this.#founder.signer, { kind: 'invite', publicKey, role, expiresMs });
    const { member, signer } = person;
    const keys = this.#keysOf(person);
    const place = { org: this.#org as OrgId, previousHash: this.#head as EntryHash };
    const claim = joinClaim({ ...place, member, handle, ...keys });
    const inviteSignature = signBytes(primitives, invite, 'inviteSignature', claim);
    const id = inviteIdOf(primitives, publicKey);
    this.#write(signer, { kind: 'join', invite: id, member, handle, ...keys, inviteSignature });
    this.activeDevices += 1;
  }

  #keysOf({ signer }: Person): DeviceKeys {
    const sealingPublicKey = primitives.decapsulator(random(32)).publicKey;
    const times = { notBeforeMs: this.#startMs, notAfterMs: this.#startMs + 30 * DAY_MS };
    return publishKeys(primitives, { signer, abilities: 0, sealingPublicKey, ...times });
  }

  #write(signer: Signer, body: EntryBody): void {
    const place = { org: this.#org, index: this.#size, previousHash: this.#head };
    const fields = { ...place, timeMs: this.#startMs + this.#size, body };
    this.#put(signEntry(primitives, signer, fields));
    const author = deviceIdOf(primitives, signer.publicKey);
    this.#head = entryHash(labelledHash(primitives, 'entry', encodeEntry({ ...fields, author })));
    this.#size += 1;
  }
}

function personOf(seed: Uint8Array): Person {
  const signer = primitives.signer(seed);
  const device = deviceIdOf(primitives, signer.publicKey);
  return { member: memberId(random(16)), device, signer };
}
