import fc from 'fast-check';
import { life } from './commands/life.ts';
import { lies } from './commands/lies.ts';
import { membership } from './commands/membership.ts';
import type { Check } from './commands/step.ts';
import { traitors } from './commands/traitors.ts';
import { offer } from './offer.ts';
import { Phone } from './phone.ts';
import { differences, Readers } from './readers.ts';
import type { Side } from './relay.ts';
import { FIRST_POLICY, foundWorld, type Size, type World } from './world.ts';

/** How far a walk goes. */
export interface WalkOptions {
  readonly runs: number;
  readonly commands: number;
  readonly size: Size;
  /** How many people and phones are there from the start; at least 1. */
  readonly start: Size;
}

/** What walks have done, so that a test can see that they did something. */
export interface Tally {
  accepted: number;
  refused: number;
  epochs: number;
  messages: number;
  phones: number;
}

const anyStep = fc.oneof(
  { weight: 12, arbitrary: fc.oneof(...membership) },
  { weight: 9, arbitrary: fc.oneof(...life) },
  { weight: 4, arbitrary: fc.oneof(...lies) },
  { weight: 3, arbitrary: fc.oneof(...traitors) },
);

/**
 * Lets random actors do random things, and looks after each whether exactly those read who should. What fails is
 * printed with seed and path, which `KEYTIDE_SEED` and `KEYTIDE_PATH` in the environment repeat.
 */
export async function walk({ runs, commands, size, start }: WalkOptions): Promise<Tally> {
  const tally = { accepted: 0, refused: 0, epochs: 0, messages: 0, phones: 0 };
  const seed = Number(process.env['KEYTIDE_SEED'] ?? 20_300_101);
  const path = process.env['KEYTIDE_PATH'];
  const property = fc.asyncProperty(
    fc.boolean(),
    fc.commands<Check, World, true>([anyStep], { maxCommands: commands, size: 'max' }),
    async (isStrict, steps) => {
      const world = await gathered(size, start);
      if (isStrict) await agreeOnTwo(world);
      const readers = new Readers(size.phones <= 16);
      const check: Check = (after) => requireAgreement(after, readers);
      await fc.asyncModelRun(() => ({ model: check, real: world }), steps);
      add(tally, world);
    },
  );
  await fc.assert(property, {
    seed,
    numRuns: runs,
    endOnFailure: process.env['KEYTIDE_QUICK'] !== undefined,
    ...(path === undefined ? {} : { path }),
  });
  return tally;
}

/** @throws with the table and the story, unless everybody reads what they should */
function requireAgreement(world: World, readers: Readers): void {
  const table = differences(readers.rows(world));
  if (table === '' && world.problems.length === 0) return;
  throw new Error(['', table, ...world.problems, '', 'What happened:', ...world.story].join('\n'));
}

/** An organisation that has people and phones already; every third person is an admin. */
async function gathered(size: Size, start: Size): Promise<World> {
  const world = await foundWorld('model', size);
  const [main] = world.sides as [Side];
  const enter = async (person: string | null): Promise<void> => {
    const name = `d${world.phones.size - 2}`;
    const offered = `i${world.offers.size}`;
    const expiresMs = world.ground.nowMs + 60_000;
    const owner = `p${world.phones.size % world.people.size}`;
    const role = world.people.size % 3 === 0 ? 'admin' : 'member';
    await offer(world, main, {
      by: 'd0',
      approvers: [],
      act:
        person === null
          ? { kind: 'invite-device', offer: offered, owner, expiresMs }
          : { kind: 'invite', offer: offered, role, expiresMs },
    });
    world.phones.set(name, new Phone(world.ground, name, world.ground.random));
    await offer(world, main, {
      by: name,
      approvers: [],
      act:
        person === null
          ? { kind: 'add-device', offer: offered, hasLink: true }
          : { kind: 'join', offer: offered, person, hasLink: true },
    });
  };
  while (world.people.size < start.people) await enter(`p${world.people.size}`);
  while (world.actors.size < start.phones) await enter(null);
  return world;
}

/** From now on two admins must agree. */
async function agreeOnTwo(world: World): Promise<void> {
  const policy = { ...FIRST_POLICY, administration: 2, wipe: 2 };
  await offer(world, world.sides[0] as Side, { by: 'd0', act: { kind: 'policy', policy }, approvers: [] });
}

function add(tally: Tally, world: World): void {
  const refused = world.story.filter((line) => line.startsWith('refused')).length;
  tally.refused += refused;
  tally.accepted += Math.max(...world.sides.map(({ log }) => log.org.size));
  tally.epochs += world.announced.length;
  tally.messages += world.said.length;
  tally.phones = Math.max(tally.phones, world.actors.size);
}
