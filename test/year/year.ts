import { happen } from './acts.ts';
import { Cast, type Plan } from './cast.ts';
import { check, type Texts } from './check.ts';
import { Table } from './table.ts';

const WEEK_MS = 7 * 86_400_000;

/** Lets an organisation live, and looks at the end of each week at every message on every device. */
export async function live(
  plan: Plan,
): Promise<{ table: Table; wrong: readonly string[]; story: readonly string[] }> {
  const cast = await Cast.found(plan);
  const table = new Table();
  const texts: Texts = new Map();
  const wrong: string[] = [];
  try {
    await settleIn(cast);
    for (let week = 1; week <= plan.weeks && wrong.length === 0; week += 1) {
      for (let step = 0; step < plan.stepsAWeek; step += 1) {
        cast.hours.leap(step === 0 && week === 1 ? 0 : WEEK_MS / plan.stepsAWeek);
        await cast.settle();
        await happen(cast);
      }
      await cast.settle();
      const first = week - ((week - 1) % 4);
      table.column(plan.weeks <= 12 ? `week ${week}` : `weeks ${first}–${Math.min(plan.weeks, first + 3)}`);
      wrong.push(...check(cast, table, texts).map((line) => `week ${week}: ${line}`));
    }
    return { table, wrong, story: cast.story };
  } finally {
    await cast.close();
  }
}

/** The people of the first day: one phone each, and some a second one. */
async function settleIn(cast: Cast): Promise<void> {
  const { plan, phones, chance } = cast;
  const office = phones[0] as (typeof phones)[number];
  for (let i = 1; i < plan.people * 0.8; i += 1)
    await cast.admit(office, { role: i < plan.admins ? 'admin' : 'member' });
  while (cast.phones.length < plan.devices * 0.8) {
    const person = chance.pick(cast.people.slice(1)) as (typeof cast.people)[number];
    if (person.phones.length < 3) await cast.admit(office, { phoneOf: person });
  }
  cast.tell(`${cast.people.length} people have ${cast.phones.length} phones`);
}
