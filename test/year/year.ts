import { happen } from './acts.ts';
import { Cast, type Person, type Plan } from './cast.ts';
import { check, type Texts } from './check.ts';
import type { Phone } from './phone.ts';
import { Table } from './table.ts';

const WEEK_MS = 7 * 86_400_000;

/** Lets an organisation live, and looks after each step at every message on every device. */
export async function live(
  plan: Plan,
): Promise<{ table: Table; acts: Table; wrong: readonly string[]; story: readonly string[] }> {
  const cast = await Cast.found(plan);
  const table = new Table();
  const texts: Texts = new Map();
  const wrong: string[] = [];
  try {
    await settleIn(cast);
    for (let step = 0; step < plan.weeks * plan.stepsAWeek && wrong.length === 0; step += 1) {
      cast.hours.leap(step === 0 ? 0 : WEEK_MS / plan.stepsAWeek);
      const { week } = cast;
      const first = week - ((week - 1) % 4);
      const column = plan.weeks <= 12 ? `week ${week}` : `${first}–${Math.min(plan.weeks, first + 3)}`;
      for (const one of [table, cast.acts]) one.column(column);
      await cast.settle();
      await happen(cast);
      await cast.settle();
      wrong.push(
        ...[...check(cast, table, texts), ...cast.lookAtDues()].map((line) => `week ${week}: ${line}`),
      );
    }
    if (wrong.length > 0) cast.story.push(...(await cast.plight()));
    return { table, acts: cast.acts, wrong, story: cast.story };
  } finally {
    await cast.close();
  }
}

/** The people of the first day: one phone each, and some a second one. */
async function settleIn(cast: Cast): Promise<void> {
  const { plan, phones, chance } = cast;
  const office = phones[0] as Phone;
  // Who is in need not hear of each who comes after.
  const admit = async (as: Parameters<Cast['admit']>[1]): Promise<void> =>
    (await cast.admit(office, as)).cut();
  for (let i = 1; i < plan.people * 0.8; i += 1) await admit({ role: i < plan.admins ? 'admin' : 'member' });
  while (cast.phones.length < plan.devices * 0.8) {
    const person = chance.pick(cast.people.slice(1)) as Person;
    if (person.phones.length < 3) await admit({ phoneOf: person });
  }
  for (const phone of cast.phones) phone.mend();
  cast.story.push(`${cast.people.length} people have ${cast.phones.length} phones`);
}
