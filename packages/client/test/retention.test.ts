import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Role } from '@keytide/key-directory';
import { decidingMs, windowStartMs } from '../src/retention.ts';
import { BLOCK_MS, retentionLife, type RetentionLife } from './retention-life.ts';

type Step =
  | { readonly do: 'pass'; readonly blocks: number }
  | { readonly do: 'epoch' }
  | { readonly do: 'clock'; readonly blocks: number }
  | { readonly do: 'welcome' }
  | { readonly do: 'role'; readonly is: Role }
  | { readonly do: 'crash'; readonly how: 'before' | 'after' | 'fails' }
  | { readonly do: 'kill' };

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('pass' as const),
        blocks: fc.oneof(
          fc.double({ min: 0, max: 1, noNaN: true }),
          fc.double({ min: 0, max: 9, noNaN: true }),
        ),
      }),
    },
    { weight: 8, arbitrary: fc.constant({ do: 'epoch' } as const) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('clock' as const),
        blocks: fc.oneof(fc.constant(0), fc.double({ min: -400, max: 400, noNaN: true })),
      }),
    },
    { weight: 3, arbitrary: fc.constant({ do: 'welcome' } as const) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('role' as const),
        is: fc.constantFrom<Role>('admin', 'member', 'exporter'),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('crash' as const),
        how: fc.constantFrom('before', 'after', 'fails'),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ do: 'kill' } as const) },
  ),
  { minLength: 5, maxLength: 40 },
);

test('whatever happens to time, role, process and store: no key outlives its window, and none goes before', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const life = await retentionLife('retention');
      /** Held at some time, and not over since. */
      const held = new Set<number>();
      await life.announce();
      for (const step of list) {
        const last = life.process;
        await act(life, step);
        await life.settle();
        await look(life, held, last);
      }
    }),
    { seed: 20_261_121, numRuns: 60 },
  );
}, 120_000);

test('the clock of an admin that leaps by years deletes nothing alone: what is signed does, or the relay that says the same', async () => {
  const life = await retentionLife('leap');
  await life.role('admin');
  await life.announce();
  life.clockAhead(4000 * BLOCK_MS);
  const shown = (): unknown => life.process?.ring.keysOf(1);
  for (const relayMs of [life.trueNow(), 0, life.trueNow() + 3999 * BLOCK_MS]) {
    await life.settle(({ retention }) => retention.heal(relayMs));
    life.kill();
    await life.settle();
    expect([await life.stored(), typeof shown()]).toEqual([[1], 'object']);
  }
  // Put right, and its time has come.
  life.clockAhead(0);
  life.pass(10 * BLOCK_MS);
  await life.settle();
  expect(await life.stored()).toEqual([1]);
  await life.settle(({ retention }) => retention.heal(life.trueNow()));
  expect([await life.stored(), shown()]).toEqual([[], 'expired-by-policy']);
  life.kill();
  await life.settle();
  expect(shown()).toBe('expired-by-policy');
  // Nobody has asked the relay for days, but another admin has signed something.
  await life.announce();
  life.pass(10 * BLOCK_MS);
  await life.announce();
  expect(await life.stored()).toEqual([3]);
});

test('an admin who becomes a member is bound by the clock of the device at once', async () => {
  const life = await retentionLife('demoted');
  await life.role('admin');
  await life.announce();
  life.clockAhead(20 * BLOCK_MS);
  await life.settle();
  expect(await life.stored()).toEqual([1]);
  await life.role('member');
  expect(await life.stored()).toEqual([]);
});

test('what waits for the relay outlives a leap of the clock, and goes when it is over', async () => {
  const life = await retentionLife('outbox');
  await life.announce();
  life.write(1);
  life.clockAhead(400 * BLOCK_MS);
  await life.settle();
  expect([await life.stored(), life.waiting, life.unsent]).toEqual([[], [1], 0]);
  life.clockAhead(0);
  await life.settle(({ retention }) => retention.heal(life.trueNow()));
  expect([await life.stored(), life.waiting, life.unsent]).toEqual([[1], [1], 0]);
  life.pass(5 * BLOCK_MS);
  await life.settle(({ retention }) => retention.heal(life.trueNow()));
  expect([await life.stored(), life.waiting, life.unsent]).toEqual([[], [], 1]);
});

async function act(life: RetentionLife, step: Step): Promise<void> {
  switch (step.do) {
    case 'pass':
      life.pass(Math.floor(step.blocks * BLOCK_MS));
      break;
    case 'epoch':
      await life.announce();
      break;
    case 'clock':
      life.clockAhead(Math.floor(step.blocks * BLOCK_MS));
      break;
    case 'welcome':
      await life.settle(({ retention }) => retention.heal(life.trueNow()));
      break;
    case 'role':
      await life.role(step.is);
      break;
    case 'crash':
      life.crashAtNextWrite(step.how);
      break;
    case 'kill':
      life.kill();
  }
}

async function look(life: RetentionLife, held: Set<number>, last: RetentionLife['process']): Promise<void> {
  const running = life.process;
  // Killed while it settled: what it has not finished is for the next start.
  if (running === null) return;
  const { state } = running.directory;
  const role = life.roleNow();
  const startMs = windowStartMs(state.policy, role, decidingMs(running.time, role));
  const isOver = (epoch: number): boolean => (life.statements[epoch - 1]?.blockEndMs ?? Infinity) <= startMs;
  const stored = await life.stored();
  expect(stored.filter(isOver)).toEqual([]);
  for (const epoch of [...held]) {
    if (!isOver(epoch)) continue;
    held.delete(epoch);
    // Where the process has lived to see it, the collections were told.
    if (running === last) expect(running.forgottenThrough).toBeGreaterThanOrEqual(epoch);
  }
  for (const epoch of held) expect(stored, `epoch ${epoch}`).toContain(epoch);
  for (const epoch of stored) held.add(epoch);
  for (const { epoch } of life.statements) {
    // The box of each is there: so what is within the window is held, and what is over is not even in memory.
    expect(running.ring.keysOf(epoch) === 'expired-by-policy', `epoch ${epoch}`).toBe(isOver(epoch));
    expect(stored.includes(epoch), `epoch ${epoch}`).toBe(!isOver(epoch));
  }
}
