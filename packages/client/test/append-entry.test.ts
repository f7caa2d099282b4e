import { memoryKeyStore } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  applyEntry,
  createInvite,
  createRevokeDevice,
  createRoleChange,
  parseEntry,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { appendEntry, type BuildContext, type MembershipLog } from '../src/append-entry.ts';
import { DirectoryReplica } from '../src/directory-replica.ts';
import { ClientError } from '../src/errors.ts';
import { memoryJournal } from '../src/journal.ts';

/** What the relay does with an entry: judges it, or says something else. */
type Answer = 'judge' | 'moved' | 'stored and moved' | 'stored and lost' | 'lied' | 'refused';

/** An organisation of two admins, and a relay that holds its log and answers as it is told, then honestly. */
async function stage() {
  const world = seededWorld({ seed: 'append entry', members: 3, admins: 2 });
  const [ada, bo] = world.members.map(({ devices }) => devices[0]) as [SeededDevice, SeededDevice];
  const log = [...world.wires];
  let state = world.state;
  const answers: Answer[] = [];
  const handedIn: Uint8Array[] = [];
  let pulls = 0;
  const store = (wire: Uint8Array): void => {
    state = applyEntry(primitives, state, wire);
    log.push(wire);
  };
  const moved = new ClientError('relay-refused', 'others were first', { relayCode: 'head-moved' });
  async function logOf(device: SeededDevice): Promise<MembershipLog> {
    const directory = await DirectoryReplica.open({
      primitives,
      journal: memoryJournal(),
      keyStore: memoryKeyStore(),
      org: world.org,
    });
    return {
      ports: { primitives, random: world.random, clock: world.clock } as never,
      self: { device: device.id, signer: device.signer },
      directory,
      remember: async () => {},
      witnessing: { demand: async () => {}, tick: async () => {} },
      api: {
        async appendLog(wire: Uint8Array) {
          handedIn.push(wire);
          const answer = answers.shift() ?? 'judge';
          if (answer === 'refused')
            throw new ClientError('relay-refused', 'no', { relayCode: 'entry-refused' });
          if (answer === 'moved') throw moved;
          if (answer === 'lied') return log.length;
          const { previousHash } = parseEntry(primitives, wire);
          const head = parseEntry(primitives, log[log.length - 1] as Uint8Array).hash;
          if (previousHash !== head) throw moved;
          store(wire);
          if (answer === 'stored and moved') throw moved;
          if (answer === 'stored and lost') throw new ClientError('offline', 'no answer');
          return log.length - 1;
        },
      } as never,
      async pullDirectory() {
        pulls += 1;
        await directory.append(log.slice(directory.size));
      },
    };
  }
  return { world, ada, bo, log, answers, handedIn, store, logOf, pulls: () => pulls, stateNow: () => state };
}

const invite = (context: BuildContext) =>
  createInvite({ ...context, role: 'member', expiresMs: context.nowMs + 1000 });

test('two admins at once: the loser signs the same act again, on the winner’s entry, and both are in the log once', async () => {
  const { ada, bo, logOf, log, handedIn, world } = await stage();
  const [adas, bos] = [await logOf(ada), await logOf(bo)];
  const before = log.length;
  const [first, second] = await Promise.all([appendEntry(adas, invite), appendEntry(bos, invite)]);
  expect(log.slice(before)).toEqual([first.wire, second.wire]);
  expect(handedIn).toHaveLength(3);
  const authors = log.slice(before).map((wire) => parseEntry(primitives, wire).author);
  expect(authors).toEqual([ada.id, bo.id]);
  expect(world.wires.length).toBe(before);
});

test('what the winner made impossible is refused by the rules when it is built again', async () => {
  const { world, ada, bo, logOf, log } = await stage();
  const member = world.members[2]?.id as never;
  const give = (context: BuildContext) => ({ wire: createRoleChange({ ...context, member, role: 'admin' }) });
  const before = log.length;
  const results = await Promise.allSettled([
    appendEntry(await logOf(ada), give),
    appendEntry(await logOf(bo), give),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(results[1]).toMatchObject({ reason: { code: 'unchanged' } });
  expect(log).toHaveLength(before + 1);
});

test('whoever always loses gives up after six times', async () => {
  const { ada, logOf, answers, handedIn, log } = await stage();
  answers.push(...Array.from({ length: 9 }, () => 'moved' as const));
  const before = log.length;
  await expect(appendEntry(await logOf(ada), invite)).rejects.toMatchObject({ relayCode: 'head-moved' });
  expect(handedIn).toHaveLength(6);
  expect(log).toHaveLength(before);
  // Not yet at the sixth.
  answers.splice(0, Infinity, 'moved', 'moved', 'moved', 'moved', 'moved');
  await appendEntry(await logOf(ada), invite);
  expect(log).toHaveLength(before + 1);
});

test('an entry that the relay has stored and calls late is not written twice', async () => {
  const { ada, logOf, answers, handedIn, log } = await stage();
  answers.push('stored and moved');
  const before = log.length;
  const { wire } = await appendEntry(await logOf(ada), invite);
  expect(log.slice(before)).toEqual([wire]);
  expect(handedIn).toHaveLength(1);
});

test('any other answer ends it: refused, not known, or taken and not shown', async () => {
  for (const [answer, code, stored] of [
    ['refused', 'relay-refused', 0],
    ['stored and lost', 'offline', 1],
    ['lied', 'relay-misbehaved', 0],
  ] as const) {
    const { ada, logOf, answers, handedIn, log } = await stage();
    answers.push(answer);
    const before = log.length;
    await expect(appendEntry(await logOf(ada), invite)).rejects.toMatchObject({ code });
    expect(handedIn).toHaveLength(1);
    expect(log).toHaveLength(before + stored);
  }
});

test('what the rules refuse here is not handed in', async () => {
  const { world, logOf, handedIn } = await stage();
  const member = world.members[2]?.devices[0] as SeededDevice;
  await expect(appendEntry(await logOf(member), invite)).rejects.toMatchObject({ code: 'not-permitted' });
  expect(handedIn).toHaveLength(0);
});

test('whoever ends their own access does not ask for more', async () => {
  const { ada, logOf, pulls } = await stage();
  await appendEntry(await logOf(ada), (context) => ({
    wire: createRevokeDevice({ ...context, device: ada.id }),
  }));
  expect(pulls()).toBe(1);
});
