import { createOrganisation, join } from '@keytide/client';
import type { DeviceId, MemberId } from '@keytide/crypto-core';
import type { Policy, Role } from '@keytide/key-directory';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { memoPrimitives } from '../model/memo-primitives.ts';
import { createChance, type Chance } from './chance.ts';
import { Dues } from './dues.ts';
import { Hours } from './hours.ts';
import { Ledger, type Standing } from './ledger.ts';
import { Phone, type Ground } from './phone.ts';
import { Pump } from './pump.ts';
import { Rolls, type Roll } from './roll.ts';
import { Table } from './table.ts';
import { Wire } from './wire.ts';

/** How large an organisation is, how long it is watched, and by which rules it lives. */
export interface Plan {
  readonly seed: string;
  readonly weeks: number;
  readonly devices: number;
  readonly people: number;
  readonly admins: number;
  /** How often something happens, and everything is looked at. */
  readonly stepsAWeek: number;
  /** The weeks in which everybody but the admins is told to destroy everything. */
  readonly wipedInWeeks: readonly number[];
  readonly messagesAStep: number;
  readonly policy: Policy;
}

/** A person, whatever phones they have and had. */
export interface Person {
  readonly name: string;
  readonly member: MemberId;
  readonly phones: Phone[];
}

/** An organisation of real clients and a real relay, by a clock that a test moves. */
export class Cast {
  readonly plan: Plan;
  readonly chance: Chance;
  readonly hours: Hours;
  readonly wire = new Wire();
  readonly rolls: Rolls;
  readonly ledger: Ledger;
  readonly dues: Dues;
  readonly pump: Pump;
  /** How often what has happened, period by period. */
  readonly acts = new Table();
  readonly people: Person[] = [];
  /** What has happened, for people. */
  readonly story: string[] = [];
  /** When a phone that is off or cut is back. */
  readonly backMs = new Map<Phone, number>();
  /** Phones whose lease was over before they came back: nobody opens them any more. */
  readonly shut = new Set<Phone>();
  /** How many messages each device has taken to hand in. */
  readonly accepted = new Map<Phone, number>();
  /** How many messages somebody wanted to write. */
  said = 0;
  readonly #ground: Ground;
  readonly #relay: Relay;
  #phones = 0;

  private constructor(plan: Plan, hours: Hours, relay: Relay) {
    this.plan = plan;
    this.hours = hours;
    this.#relay = relay;
    this.chance = createChance(plan.seed);
    const primitives = memoPrimitives();
    this.rolls = new Rolls(primitives);
    this.ledger = new Ledger(primitives, this.wire, this.rolls);
    this.dues = new Dues(this.ledger);
    this.pump = new Pump(hours, this.wire);
    this.#ground = { primitives, hours, wire: this.wire, seed: plan.seed };
  }

  static async found(plan: Plan): Promise<Cast> {
    const hours = new Hours(START_MS);
    const relay = await startRelay({
      database: memoryDatabase(),
      port: 0,
      clock: hours,
      limits: { sessionMs: 14 * 86_400_000 },
      log: () => {},
    });
    const cast = new Cast(plan, hours, relay);
    const phone = cast.#newPhone('p0');
    const founding = phone.turnOn((options) =>
      createOrganisation({ ...options, relayUrl: relay.url, handle: 'p0', policy: plan.policy }),
    );
    await cast.pump.during(founding, 'the organisation');
    cast.people.push({ name: 'p0', member: phone.app.member, phones: [phone] });
    return cast;
  }

  /** Lets a new member in, or another phone of one. */
  async admit(by: Phone, as: { role: Role } | { phoneOf: Person }): Promise<Phone> {
    const isNew = 'role' in as;
    const handle = isNew ? `p${this.people.length}` : as.phoneOf.name;
    const link = await this.pump.during(
      isNew ? by.app.invite(as) : by.app.inviteDevice({ member: as.phoneOf.member }),
      `an invite by ${by.name}`,
    );
    const phone = this.#newPhone(handle);
    const coming = phone.turnOn((options) => join({ ...options, link, ...(isNew ? { handle } : {}) }));
    await this.pump.during(coming, `${phone.name} to join`);
    if (isNew) this.people.push({ name: handle, member: phone.app.member, phones: [phone] });
    else as.phoneOf.phones.push(phone);
    return phone;
  }

  get phones(): Phone[] {
    return this.people.flatMap(({ phones }) => phones);
  }

  /** The name of a device. */
  nameOf(device: string): string {
    return this.phones.find(({ id }) => id === device)?.name ?? 'nobody';
  }

  /** Whose a phone is. */
  ownerOf(phone: Phone): Person {
    return this.people.find(({ phones }) => phones.includes(phone)) as Person;
  }

  roleOf({ member }: Person): Role | null {
    return this.#roll.roles.get(member) ?? null;
  }

  /** Whether the log has a phone as one of the organisation's. */
  isActive({ id }: Phone): boolean {
    return id !== null && this.#roll.active.has(id);
  }

  /** The organisation as of what has passed on the wire. */
  get #roll(): Roll {
    this.rolls.read(this.wire.membership);
    return this.rolls.newest;
  }

  /** The phones that are in the organisation, on and connected. */
  get present(): Phone[] {
    return this.phones.filter((phone) => phone.isOn && !phone.isCut && this.isActive(phone));
  }

  /** How late it is for a phone that is on, and how much it knows. */
  standing(phone: Phone): Standing {
    this.read();
    const { shownMs, agreedMs, app } = phone;
    const { directorySize: membershipSize, epoch } = app;
    return this.ledger.standing({ device: phone.id as DeviceId, shownMs, agreedMs, membershipSize, epoch });
  }

  /** Until everybody who can be is in step with the relay, and nobody has anything left to do. */
  async settle(): Promise<void> {
    const isThere = (): boolean => this.#late() === null;
    const tell = (): string => `${this.#late()}\n${this.story.slice(-20).join('\n')}`;
    await this.pump.until(isThere, tell);
    await this.pump.pass(AFTER_MS);
    await this.pump.until(isThere, tell);
    this.#take();
    for (const phone of this.phones) if (phone.isOn && !this.isLocked(phone)) this.wakes(phone);
  }

  /** Until a phone has taken what is there for it: that stays its own, whatever comes next. */
  async inStep(phone: Phone): Promise<void> {
    await this.pump.until(
      () => !this.#isBehind(phone),
      () => `${phone.name}, ${phone.app.state.kind}, to be in step`,
    );
    this.#take();
  }

  /** Takes in what the phones that are in step have come by. */
  #take(): void {
    const present = this.present.filter((phone) => !this.#isBehind(phone));
    const standings = present.map((phone) => this.standing(phone));
    const given = new Set(this.ledger.takes(standings, this.hours.now()));
    for (const phone of present) if (given.has(phone.id as DeviceId)) this.dues.granted(phone);
  }

  /** Who has gone for longer than a week without what is theirs, once everybody has had their say. */
  lookAtDues(): string[] {
    const present = this.present.map((phone) => ({
      phone,
      standing: this.standing(phone),
      // What is dated ahead of the relay's clock is refused.
      canGive: this.roleOf(this.ownerOf(phone)) === 'admin' && phone.aheadMs <= 0,
    }));
    return this.dues.look(present, this.hours.now(), WEEK_MS);
  }

  /** Which week it is, from 1. */
  get week(): number {
    return 1 + Math.floor((this.hours.now() - START_MS) / WEEK_MS);
  }

  /** Whether what a phone's owner had was ordered to be destroyed since they came. */
  isAfterWipe({ id }: Phone): boolean {
    const member = this.rolls.owners.get(id as DeviceId);
    return member !== undefined && this.rolls.wipedMembers.has(member);
  }

  /** Whether a phone that is on has gone without the relay for longer than its lease. */
  isLocked({ leased, clockMs }: Phone): boolean {
    return clockMs - leased.shownMs >= this.#leaseMs;
  }

  /** Whether the relay does not help to open a phone any more. */
  isShut(phone: Phone): boolean {
    const isOver = !this.isActive(phone) || this.hours.now() >= phone.leased.atMs + this.#leaseMs;
    return phone.needsShare && isOver;
  }

  get #leaseMs(): number {
    return (this.plan.policy.leaseSeconds ?? Infinity) * 1000;
  }

  /** Takes in what has passed on the wire. */
  read(): void {
    const idOf = (name: string): DeviceId => this.phones.find((phone) => phone.name === name)?.id as DeviceId;
    this.ledger.read(idOf);
  }

  /** Something has happened: what, in general and in this case. */
  tell(kind: string, what: string): void {
    const { hours, story, acts } = this;
    acts.add(kind);
    story.push(`${new Date(hours.now()).toISOString().slice(0, 16)} ${what}`);
  }

  async close(): Promise<void> {
    await this.pump.during(
      Promise.all(this.phones.map((phone) => phone.turnOff())),
      'everybody to close their app',
    );
    await this.#relay.close();
  }

  /** A phone does what time has made due. */
  wakes(phone: Phone): void {
    const nowMs = this.hours.now() + Math.min(0, phone.aheadMs);
    phone.shownMs = Math.max(phone.shownMs, nowMs);
    this.ledger.wakes(this.standing(phone));
  }

  /** Who is not in step yet. */
  #late(): string | null {
    this.rolls.read(this.wire.membership);
    for (const phone of this.present) {
      const { state, waiting, directorySize } = phone.app;
      if (state.kind !== 'online')
        return `${phone.name}, ${state.kind}, to be online ${state.kind === 'offline' ? String(state.reason) + String(state.reason?.cause) : ''}`;
      if (waiting > 0 && !phone.isFast) return `${phone.name} to hand in ${waiting} messages`;
      if (directorySize < this.wire.membership.length)
        return `${phone.name} to know ${this.wire.membership.length} entries, not ${directorySize}`;
      if (this.#isBehind(phone))
        return `${phone.name} to take what is there for it, with ${phone.app.epoch} of ${this.ledger.newestEpoch} epochs, [${phone.rejected}]`;
    }
    for (const phone of this.phones) {
      if (!phone.isOn) continue;
      const { kind } = phone.app.state;
      if (this.isLocked(phone)) {
        if (kind !== 'locked' && kind !== 'wiped') return `${phone.name}, ${kind}, to lock`;
        continue;
      }
      if (phone.isCut || this.isActive(phone)) continue;
      if (kind !== 'stopped' && kind !== 'wiped') return `${phone.name}, ${kind}, to hear that it is ended`;
    }
    return null;
  }

  /** Where those stand who are there, and what keeps them: for whoever has to find out what is wrong. */
  async plight(): Promise<string[]> {
    const lines: string[] = [];
    for (const phone of this.present) {
      const { access, state, epoch, directorySize } = phone.app;
      const { outstanding: own, inbox } = access;
      const asked = own === null ? 'asks for nothing' : `asks for ${own.firstEpoch}–${own.lastEpoch}`;
      const waiting = inbox.map(
        ({ device, gives }) => `${this.nameOf(device)} ${gives.firstEpoch}–${gives.lastEpoch}`,
      );
      const failure = await this.pump.during(
        access.refresh().then(String, (error: unknown) => String(error)),
        `${phone.name} to look`,
      );
      lines.push(
        `${phone.name}, ${this.roleOf(this.ownerOf(phone))}, ${state.kind}, ${phone.aheadMs / 3_600_000} h ahead, ` +
          `has ${directorySize} entries and ${epoch} epochs, ${asked}, is asked by [${waiting}], ` +
          `was shown [${phone.rejected}]; looks: ${failure}`,
      );
    }
    return lines;
  }

  /** Whether a phone has yet to hear of an epoch, or to take what an admin has granted. */
  #isBehind(phone: Phone): boolean {
    this.read();
    const { state, epoch } = phone.app;
    return state.kind !== 'online' || epoch < this.ledger.newestEpoch || this.#isOffered(phone);
  }

  /** Whether an admin has granted what a phone still asks for. */
  #isOffered(phone: Phone): boolean {
    const id = phone.app.access.outstanding?.id;
    const grant = this.rolls.grants.find(({ request }) => request === id);
    const giver = this.phones.find((other) => other.id === grant?.author);
    return giver !== undefined && this.isActive(giver) && this.roleOf(this.ownerOf(giver)) === 'admin';
  }

  #newPhone(person: string): Phone {
    this.#phones += 1;
    return new Phone(this.#ground, `${person}/${this.#phones}`);
  }
}

const WEEK_MS = 7 * 86_400_000;
/** The first hours of a block. */
const START_MS = Math.ceil(Date.UTC(2030, 0, 1) / WEEK_MS) * WEEK_MS + WEEK_MS / 16;
/** Longer than what devices do by chance, or after each other. */
const AFTER_MS = 8_000;
