import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nodePrimitives, nodeRandom as random } from '@keytide/crypto-core/node';
import type { GroupEntry } from '@keytide/relay-protocol';
import { ClientError } from '../src/errors.ts';
import { GroupReplica, type Outcome } from '../src/group-replica.ts';
import { groupWorld, lastBySeq, makeWriter, processIn } from './group-world.ts';

const world = await groupWorld();

function tampered({ kind, bytes }: GroupEntry): GroupEntry {
  return { kind, bytes: Uint8Array.from(bytes, (byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte)) };
}

test('a log decides alike one by one, in portions and as a whole, whatever its sender and its relay do', async () => {
  const act = fc.oneof(
    { weight: 5, arbitrary: fc.constant('write' as const) },
    { weight: 2, arbitrary: fc.constant('write-unsigned' as const) },
    { weight: 3, arbitrary: fc.constantFrom('drop', 'replay', 'swap', 'tamper', 'statement') },
  );
  const steps = fc.array(fc.tuple(act, fc.nat(20)), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 2, max: 7 }), async (list, size) => {
      const write = makeWriter(world);
      const log: GroupEntry[] = [];
      for (const [name, place] of list) {
        if (name === 'write' || name === 'write-unsigned') log.push(write({ isSigned: name === 'write' }));
        if (name === 'statement') log.push(world.statement);
        const at = place % Math.max(1, log.length);
        const entry = log[at];
        if (entry === undefined) continue;
        if (name === 'drop') log.splice(at, 1);
        if (name === 'replay') log.push(entry);
        if (name === 'swap') log.push(...log.splice(at, 1));
        if (name === 'tamper') log[at] = tampered(entry);
      }
      const entries = [world.statement, ...log];
      const decide = async (portion: number) => {
        const replica = await world.makeReplica();
        const outcomes = await processIn(replica, entries, portion);
        return {
          outcomes: lastBySeq(outcomes),
          heads: replica.senderHeads(),
          root: replica.rootAt(replica.size),
        };
      };
      const live = await decide(1);
      expect(live.outcomes).toHaveLength(entries.length);
      expect(await decide(entries.length)).toEqual(live);
      expect(await decide(size)).toEqual(live);
    }),
    { numRuns: 60 },
  );
});

test('a wrong signature is refused until the next message vouches for it, and told again then', async () => {
  const write = makeWriter(world);
  const entries = [world.statement, write(), write({ isSigned: false }), write()];
  const live = await processIn(await world.makeReplica(), entries, 1);
  expect(live.map(({ seq, kind }) => [seq, kind])).toEqual([
    [1, 'epoch'],
    [2, 'message'],
    [3, 'unreadable'],
    [3, 'message'],
    [4, 'message'],
  ]);
  const whole = await processIn(await world.makeReplica(), entries, 4);
  expect(whole.map(({ seq, kind }) => [seq, kind])).toEqual([
    [1, 'epoch'],
    [2, 'message'],
    [3, 'message'],
    [4, 'message'],
  ]);
});

test('nobody vouches across the end of a window, however the log is cut', async () => {
  const write = makeWriter(world);
  const large = random(250_000);
  // 4 MiB hold the statement and sixteen of these, padded; the seventeenth is in the next window.
  const entries = [world.statement, ...Array.from({ length: 15 }, () => write({ payload: large }))];
  entries.push(write({ isSigned: false, payload: large }), write({ payload: large }), write());
  for (const size of [1, 5, entries.length]) {
    const outcomes = lastBySeq(await processIn(await world.makeReplica(), entries, size));
    expect(outcomes.slice(-3).map((outcome) => outcome.slice(0, 10))).toEqual([
      'tampered',
      'message 16',
      'message 17',
    ]);
  }
});

test.each([
  ['as a whole', 5, ['1 epoch', '2 message', '3 message', '4 message', '5 message']],
  ['one by one', 1, ['1 epoch', '2 message', '3 unreadable', '3 message', '4 message', '5 message']],
])('what fails half-way is decided the next time, and nothing twice: %s', async (_, size, expected) => {
  const write = makeWriter(world);
  const entries = [
    world.statement,
    write(),
    write({ isSigned: false }),
    write({ directorySize: 2 }),
    write(),
  ];
  let failures = 2;
  const replica = await world.makeReplica(async (directory) => {
    if (failures > 0) {
      failures -= 1;
      throw new ClientError('offline', 'not now');
    }
    await directory.append([world.secondEntry]);
  });
  const outcomes: Outcome[] = [];
  for (let attempt = 0; replica.size < entries.length && attempt < 10; attempt += 1) {
    try {
      const portion = entries.slice(replica.size, replica.size + size);
      for await (const outcome of replica.process(portion)) outcomes.push(outcome);
    } catch (error) {
      expect((error as ClientError).code).toBe('offline');
    }
  }
  expect(failures).toBe(0);
  expect(outcomes.map(({ seq, kind }) => `${seq} ${kind}`)).toEqual(expected);
});

test('a gap as long as what had no key here accuses nobody; a longer one does', async () => {
  for (const withheld of [0, 1]) {
    const write = makeWriter(world);
    const { epochs } = await world.makeRing();
    const replica = new GroupReplica(nodePrimitives, world.state.everyone, epochs);
    await processIn(replica, [world.statement, write()], 2);
    const keysOf = epochs.keysOf.bind(epochs);
    epochs.keysOf = () => 'key-not-yet-arrived';
    await processIn(replica, [write(), write()], 2);
    epochs.keysOf = keysOf;
    for (let i = 0; i < withheld; i += 1) write();
    const [outcome] = await processIn(replica, [write()], 1);
    const missing = withheld === 0 ? [] : [{ device: world.device, from: 1, to: 3 }];
    expect(outcome).toMatchObject({ kind: 'message', missing });
    // What was read since is not excused by what had no key before.
    write();
    const [next] = await processIn(replica, [write()], 1);
    expect(next).toMatchObject({ kind: 'message', missing: [{ device: world.device }] });
  }
});
