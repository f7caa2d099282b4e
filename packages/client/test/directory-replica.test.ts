import {
  decodeCbor,
  encodeCbor,
  memoryKeyStore,
  type CborValue,
  type Primitives,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { DEFAULT_POLICY } from '../src/index.ts';
import { DirectoryReplica } from '../src/directory-replica.ts';
import { memoryJournal, type Journal } from '../src/journal.ts';
import type { LogSource } from '../src/log-source.ts';
import { ClientError } from '../src/errors.ts';
import { groupWorld } from './group-world.ts';

/** A journal on a disk that is full at the `failing` step. */
function onFullDisk(journal: Journal, disk: { failing: 'append' | 'flush' | null }): Journal {
  const step = async (name: 'append' | 'flush', work: () => Promise<void>): Promise<void> => {
    if (disk.failing === name) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    await work();
  };
  return {
    get length() {
      return journal.length;
    },
    read: (start, end) => journal.read(start, end),
    append: (records) => step('append', () => journal.append(records)),
    flush: () => step('flush', () => journal.flush()),
    cut: (length) => journal.cut(length),
  };
}

test.each(['append', 'flush'] as const)(
  'an entry counts only once it is stored: a full disk at %s changes nothing',
  async (failing) => {
    const { genesis, secondEntry, state } = await groupWorld();
    const disk: { failing: 'append' | 'flush' | null } = { failing: null };
    const journal = onFullDisk(memoryJournal(), disk);
    const keyStore = memoryKeyStore();
    const directory = await DirectoryReplica.open({ primitives, journal, keyStore, org: state.org });
    await directory.append([genesis]);
    disk.failing = failing;
    await expect(directory.append([secondEntry])).rejects.toMatchObject({ code: 'ENOSPC' });
    expect([directory.size, directory.state.size, directory.has(secondEntry)]).toEqual([1, 1, false]);
    expect(directory.rootAt(2)).toBeNull();

    // With room again, nothing is stored twice: whoever opens the journal anew finds the log as it is.
    disk.failing = null;
    await directory.append([secondEntry]).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'store-damaged' });
    });
    const again = await DirectoryReplica.open({ primitives, journal, keyStore, org: state.org });
    expect(again.has(secondEntry)).toBe(true);
    expect(again.size).toBe(2);
  },
);

test('a stored log is checked once: entries before the anchor by its root alone, those after it whole', async () => {
  const { genesis, secondEntry, state } = await groupWorld();
  const journal = memoryJournal();
  const keyStore = memoryKeyStore();
  const options = { journal, keyStore, org: state.org };
  const first = await DirectoryReplica.open({ ...options, primitives });
  await first.append([genesis]);
  const anchored = await keyStore.get('checkpoint');
  await first.append([secondEntry]);
  const keyless: Primitives = {
    ...primitives,
    verifier: () => {
      throw new Error('a signature was to be checked');
    },
  };
  const again = await DirectoryReplica.open({ ...options, primitives: keyless });
  expect(again.state).toMatchObject({ size: 2, root: first.state.root });
  expect(again.stateAt(1).root).toEqual(first.rootAt(1));

  // As after a crash between the journal and the key store.
  await keyStore.write([{ name: 'checkpoint', value: anchored }]);
  await expect(DirectoryReplica.open({ ...options, primitives: keyless })).rejects.toMatchObject({
    code: 'store-damaged',
  });
  expect((await DirectoryReplica.open({ ...options, primitives })).state.size).toBe(2);
});

test.each([0, 1])('a stored entry %i whose signature was altered is damage', async (index) => {
  const { genesis, secondEntry, state } = await groupWorld();
  const keyStore = memoryKeyStore();
  const whole = memoryJournal();
  const directory = await DirectoryReplica.open({ primitives, journal: whole, keyStore, org: state.org });
  await directory.append([genesis, secondEntry]);
  const wires = [genesis.slice(), secondEntry.slice()];
  const wire = wires[index] as Uint8Array;
  wire[wire.length - 1] = (wire[wire.length - 1] as number) ^ 1;
  const journal = memoryJournal();
  await journal.append(wires);
  await expect(
    DirectoryReplica.open({ primitives, journal, keyStore, org: state.org }),
  ).rejects.toMatchObject({ code: 'store-damaged' });
});

test('others give back the same at once: it goes on for as long as the log grows by it, and no longer', async () => {
  const waited: number[] = [];
  const world = seededWorld({ seed: 'given back by many', members: 30 });
  const { wires, org } = world;
  const directory = await DirectoryReplica.open({
    primitives,
    journal: memoryJournal(),
    keyStore: memoryKeyStore(),
    org,
    rest: async (ms) => void waited.push(ms),
  });
  await directory.append(wires);
  let has = 1;
  let attempts = 0;
  /** A relay at which somebody else is always first, with one entry; at last, nobody is. */
  const source = (until: number): LogSource => ({
    readLog: async (from) => ({ entries: wires.slice(from, has), size: has }),
    async appendLog() {
      attempts += 1;
      if (has < until) has += 1;
      throw new ClientError('relay-refused', 'the log has another head', { relayCode: 'head-moved' });
    },
    readCheckpoint: () => Promise.reject(new Error('the policy names no key')),
    readTile: async () => null,
  });
  await expect(directory.pull(source(3))).rejects.toMatchObject({ code: 'relay-forked' });
  // Two that brought the log further, and one that did not.
  expect([has, attempts]).toEqual([3, 3]);
  // Somebody is always first, and the log has much to go: that ends, and the next connection goes on.
  for (const reached of [15, 27]) {
    waited.length = 0;
    await expect(directory.pull(source(wires.length))).rejects.toMatchObject({ code: 'relay-misbehaved' });
    expect(has).toBe(reached);
    expect(waited).toEqual([100, 200, 400, 800, 1600, ...Array.from({ length: 7 }, () => 2000)]);
  }
  has = wires.length - 5;
  await directory.pull(source(wires.length));
  expect(has).toBe(wires.length);
});

test('whoever closes the client does not wait for the pause before the next attempt to give back', async () => {
  const { wires, org } = seededWorld({ seed: 'closed while it pauses', members: 5 });
  const closing = new AbortController();
  let attempts = 0;
  const directory = await DirectoryReplica.open({
    primitives,
    journal: memoryJournal(),
    keyStore: memoryKeyStore(),
    org,
    // A pause that nothing but the signal ends.
    rest: (_, signal) =>
      new Promise((resolve) => {
        signal?.addEventListener('abort', () => resolve());
        closing.abort();
      }),
  });
  await directory.append(wires);
  const source: LogSource = {
    readLog: async () => ({ entries: [], size: 1 + attempts }),
    async appendLog() {
      attempts += 1;
      throw new ClientError('relay-refused', 'the log has another head', { relayCode: 'head-moved' });
    },
    readCheckpoint: () => Promise.reject(new Error('the policy names no key')),
    readTile: async () => null,
  };
  await expect(directory.pull(source, closing.signal)).rejects.toMatchObject({ code: 'closed' });
  expect(attempts).toBe(1);
});

test.each([
  ['a kind', 'something-newer', []],
  ['a part of a policy', 'policy', [{ ...DEFAULT_POLICY, somethingNewer: 1 }]],
])('%s that this build does not know is no fork, and hides nothing before it', async (_what, kind, body) => {
  const world = seededWorld({ seed: 'newer', members: 4 });
  const { org } = world;
  const [bytes, signatures] = decodeCbor(world.wires.at(-1) as Uint8Array, 65_535) as [Uint8Array, CborValue];
  const fields = decodeCbor(bytes, 65_535) as CborValue[];
  const newer = encodeCbor([encodeCbor([...fields.slice(0, 6), kind, body as CborValue]), signatures]);
  const shown = [...world.wires.slice(0, -1), newer, newer];
  const open = { primitives, journal: memoryJournal(), keyStore: memoryKeyStore(), org };
  const directory = await DirectoryReplica.open(open);
  const source: LogSource = {
    readLog: async (from) => ({ entries: shown.slice(from), size: shown.length }),
    appendLog: () => Promise.reject(new Error('nothing is given back')),
    readCheckpoint: () => Promise.reject(new Error('the policy names no key')),
    readTile: async () => null,
  };
  await expect(directory.pull(source)).rejects.toMatchObject({ code: 'update-needed', evidence: [] });
  expect(directory.size).toBe(world.wires.length - 1);
});
