import fc from 'fast-check';
import { forgeMembershipLog } from '@keytide/testkit';
import type { Role, Target } from '../model.ts';
import { FIRST_POLICY, pick } from '../world.ts';
import { admits, deviceIn, does, personIn, says } from './acts.ts';
import { orgOf, present, quiet, requireAgreement, type Crew } from './crew.ts';
import type { User } from './office.ts';

/** A command of users with real clients. */
export class Deed implements fc.AsyncCommand<object, Crew, true> {
  readonly #name: string;
  readonly #run: (crew: Crew) => Promise<unknown>;

  constructor(name: string, run: (crew: Crew) => Promise<unknown>) {
    this.#name = name;
    this.#run = run;
  }

  async check(): Promise<boolean> {
    return true;
  }

  async run(_: object, crew: Crew): Promise<void> {
    await this.#run(crew);
    requireAgreement(crew);
  }

  toString(): string {
    return this.#name;
  }
}

function deed<T>(
  name: string,
  numbers: fc.Arbitrary<T>,
  run: (crew: Crew, by: User, given: T) => Promise<unknown>,
): fc.Arbitrary<Deed> {
  return fc.tuple(some, numbers).map(
    ([by, given]) =>
      new Deed(`${name}${JSON.stringify([by, given])}`, async (crew) => {
        const here = present(crew);
        if (here.length > 0) await run(crew, pick(here, by), given);
      }),
  );
}

const MOST = 8;
const some = fc.nat(999);
const role = fc.constantFrom<Role>('admin', 'admin', 'member', 'exporter');
const target = fc.record({ number: some, isAlone: fc.boolean() });

/** What people do with their clients, and what the relay does to them. */
export const deeds: fc.Arbitrary<Deed>[] = [
  deed('admit', role, async (crew, by, given) => {
    if (present(crew).length < MOST) await admits(crew, by, { role: given });
  }),
  deed('admit', role, async (crew, by, given) => {
    if (present(crew).length < MOST) await admits(crew, by, { role: given });
  }),
  deed('device', some, async (crew, by, owner) => {
    const own = orgOf(crew).phones.get(by.name)?.owner as string;
    const whose = owner % 2 === 0 ? own : personIn(crew, owner);
    if (present(crew).length < MOST) await admits(crew, by, { owner: whose });
  }),
  deed('revoke-device', target, (crew, by, { number, isAlone }) =>
    does(crew, by, { kind: 'revoke-device', phone: deviceIn(crew, number) }, isAlone),
  ),
  deed('remove-member', target, (crew, by, { number, isAlone }) =>
    does(crew, by, { kind: 'remove-member', person: personIn(crew, number) }, isAlone),
  ),
  deed('role', fc.record({ ...{ number: some, isAlone: fc.boolean() }, role }), (crew, by, given) =>
    does(crew, by, { kind: 'role', person: personIn(crew, given.number), role: given.role }, given.isAlone),
  ),
  deed('policy', fc.record({ two: fc.boolean(), isAlone: fc.boolean() }), (crew, by, { two, isAlone }) => {
    const number = two ? 2 : 1;
    const policy = { ...FIRST_POLICY, administration: number, wipe: number };
    return does(crew, by, { kind: 'policy', policy }, isAlone);
  }),
  deed('wipe', target, (crew, by, { number, isAlone }) => {
    const of: Target =
      number % 2 === 0 ? { phone: deviceIn(crew, number) } : { person: personIn(crew, number) };
    return does(crew, by, { kind: 'wipe', target: of }, isAlone);
  }),
  deed('say', fc.constant(null), (crew, by) => says(crew, by)),
  deed('all say', fc.constant(null), (crew) => Promise.all(present(crew).map((user) => says(crew, user)))),
  deed('leave', fc.constant(null), async (crew, by) => {
    if (present(crew).length < 2) return;
    crew.story.push(`${by.name} goes away`);
    crew.away.add(by.name);
    await by.leave();
  }),
  deed('return', some, async (crew, _, number) => {
    if (crew.away.size === 0) return;
    const name = pick([...crew.away], number);
    crew.story.push(`${name} comes back`);
    await (crew.users.get(name) as User).comeBack();
    crew.away.delete(name);
    await quiet(crew);
  }),
  deed('withhold', some, async (crew, by, number) => {
    const victim = pick(present(crew), number);
    if (victim === by) return;
    // The victim writes while it is kept from seeing that somebody has gone.
    const size = orgOf(crew).size;
    crew.story.push(`the relay shows ${victim.name} ${size} entries and no more`);
    const relent = forgeMembershipLog(crew.office.hostile, victim.id, (wires) => wires.slice(0, size));
    crew.away.add(victim.name);
    await does(crew, by, { kind: 'revoke-device', phone: deviceIn(crew, number + 1) }, true);
    const text = `line ${crew.story.length}`;
    await Promise.race([
      victim.client.collections.chat.append({ text }).catch(() => {}),
      new Promise((resolve) => setTimeout(resolve, 300)),
    ]);
    relent();
    await victim.leave();
    await victim.comeBack();
    crew.away.delete(victim.name);
    await quiet(crew);
  }),
];
