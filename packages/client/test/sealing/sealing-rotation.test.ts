import { memoryKeyStore, parseSealingRecord, Secret, type KeyStore } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { DirectoryReplica } from '../../src/directory-replica.ts';
import type { UnopenedEpoch } from '../../src/own-sealing-keys.ts';
import { ClientError } from '../../src/errors.ts';
import { memoryJournal } from '../../src/journal.ts';
import { OwnSealingKeys } from '../../src/own-sealing-keys.ts';
import { SealingRotation } from '../../src/sealing-rotation.ts';
import { virtualTime } from './virtual-time.ts';

const DAY_SECONDS = 86_400;
const refused = new ClientError('relay-refused', 'no', { relayCode: 'record-refused' });
const offline = new ClientError('offline', 'no answer');

/** A device whose first key ends a block after time begins, and a relay of one line. */
async function stage({ blockSeconds = DAY_SECONDS, share = 0, size = 1 } = {}) {
  const blockMs = blockSeconds * 1000;
  const policy = { blockSeconds, retentionSeconds: 7 * blockSeconds, exportSeconds: 9 * blockSeconds };
  const world = seededWorld({ seed: 'sealing rotation', members: 1, policy });
  const [{ devices }] = world.members;
  const [own] = devices;
  const endMs = own.own.notAfterMs;
  const time = virtualTime(endMs - blockMs);
  const real = await DirectoryReplica.open({
    primitives,
    journal: memoryJournal(),
    keyStore: memoryKeyStore(),
    org: world.org,
  });
  await real.append(world.wires);
  const store = memoryKeyStore();
  const line = {
    aheadMs: 0,
    logMs: 0,
    kind: 'online' as 'online' | 'offline',
    heardMs: null as number | null,
    unopened: [] as readonly UnopenedEpoch[],
    answer: null as ClientError | null,
    failStore: false,
    idle: async (): Promise<void> => {},
  };
  const now = (): number => time.now() + line.aheadMs;
  const keyStore: KeyStore = {
    ...store,
    async write(batch) {
      if (line.failStore) throw new Error('no space left');
      await store.write(batch);
    },
  };
  const directory = {
    size,
    get state() {
      return { ...real.state, timeMs: Math.max(real.state.timeMs, line.logMs) };
    },
  };
  const sealing = await OwnSealingKeys.open({
    primitives,
    random: world.random,
    keyStore,
    directory: real,
    device: own.id,
    signer: own.signer,
    firstSeed: Secret.own(own.sealingSeed.slice()),
  });
  const attempts: { readonly wire: Uint8Array; readonly leadMs: number }[] = [];
  const failures: unknown[] = [];
  const waits: number[] = [];
  const stopping = new AbortController();
  const rotation = new SealingRotation({
    ports: {
      random: (count) => new Uint8Array(count).fill(share),
      clock: {
        now,
        wait(ms, signal) {
          waits.push(ms);
          return time.wait(ms, signal);
        },
      },
    },
    api: {
      async publishSealingRecord(wire) {
        attempts.push({ wire, leadMs: parseSealingRecord(wire).notBeforeMs - now() });
        if (line.answer !== null) throw line.answer;
      },
    },
    connection: {
      get state() {
        return { kind: line.kind };
      },
      get socket() {
        return line.kind === 'online' ? { heardMs: line.heardMs ?? now() } : null;
      },
      signal: stopping.signal,
      giveUp: (_, error) => void failures.push(error),
    },
    directory,
    epochs: {
      get unopened() {
        return line.unopened as never;
      },
    },
    sealing,
    time: { now: () => Math.max(now(), line.logMs) },
    idle: () => line.idle(),
  });
  const secretsAt = (atMs: number): number =>
    sealing.keysFor({ author: 'somebody' as never, createdMs: atMs }).length;
  /** Ticks at a time, in blocks after the end of the first key. */
  const tickAt = async (blocks: number): Promise<void> => {
    await time.pass(Math.max(0, endMs + blocks * blockMs - time.now()));
    await rotation.tick();
  };
  const at = (blocks: number): number => endMs + blocks * blockMs;
  return {
    rotation,
    sealing,
    line,
    attempts,
    failures,
    waits,
    stopping,
    time,
    tickAt,
    at,
    blockMs,
    secretsAt,
    store,
  };
}

test.each([
  ['the earliest', 255, 0.5],
  ['the latest', 0, 0.25],
])('%s publishes its next key in its part of the last half', async (_, share, left) => {
  const { tickAt, attempts, sealing, at } = await stage({ share });
  await tickAt(-left - 0.0001);
  expect(attempts).toHaveLength(0);
  await tickAt(-left);
  expect(attempts).toHaveLength(1);
  expect(sealing.unpublished).toBeNull();
  expect(sealing.newest).toMatchObject({ notBeforeMs: at(0), notAfterMs: at(1) });
  await tickAt(-0.1);
  expect(attempts).toHaveLength(1);
});

test('after a gap it starts some seconds ahead, further ahead for a relay whose clock is fast, and not without end', async () => {
  for (const [blockSeconds, leads] of [
    [DAY_SECONDS, [5_000, 300_000, 3_600_000]],
    [240, [5_000, 60_000, 60_000]],
  ] as const) {
    const { tickAt, line, attempts, sealing, store } = await stage({ blockSeconds });
    line.answer = refused;
    await tickAt(1.5);
    expect(attempts.map(({ leadMs }) => leadMs)).toEqual(leads);
    expect(await store.names('sealing/')).toEqual([]);
    line.answer = null;
    await tickAt(1.6);
    expect(attempts).toHaveLength(4);
    expect(sealing.unpublished).toBeNull();
  }
});

test('without an answer the same bytes go again, once a tick, and nothing else', async () => {
  const { tickAt, line, attempts, sealing } = await stage();
  line.answer = offline;
  for (const blocks of [-0.1, 0, 0.1]) await tickAt(blocks);
  expect(attempts).toHaveLength(3);
  for (const { wire } of attempts) expect(wire).toBe(attempts[0]?.wire);
  line.answer = null;
  await tickAt(0.2);
  expect(sealing.unpublished).toBeNull();
  await tickAt(0.3);
  expect(attempts).toHaveLength(4);
});

test('a record that is refused at last makes room for another at once', async () => {
  const { tickAt, line, attempts, sealing } = await stage();
  line.answer = offline;
  await tickAt(-0.1);
  line.answer = refused;
  await tickAt(3);
  expect(attempts).toHaveLength(5);
  line.answer = null;
  await tickAt(3.1);
  expect(sealing.newest?.notBeforeMs).toBeGreaterThan(0);
  expect(sealing.unpublished).toBeNull();
});

test('nothing is published while the relay is out of reach, and no secret goes that it could still need', async () => {
  const { tickAt, line, attempts, secretsAt, at } = await stage();
  line.kind = 'offline';
  await tickAt(2.5);
  expect(attempts).toHaveLength(0);
  expect(secretsAt(at(-0.5))).toBe(1);
  await tickAt(1 + 1 + 1 + 7);
  expect(secretsAt(at(-0.5))).toBe(0);
});

test('a clock that is far behind the log makes no key', async () => {
  const { tickAt, line, attempts, at, blockMs } = await stage();
  line.logMs = at(1.5);
  line.aheadMs = -2 * blockMs;
  await tickAt(0.4);
  expect(attempts).toHaveLength(0);
  line.aheadMs = 0;
  await tickAt(0.6);
  expect(attempts).toHaveLength(1);
});

test.each([
  [1, 250],
  [3_600, 225_000],
  [DAY_SECONDS, 600_000],
])('with blocks of %i s it looks every %i ms, until it is stopped', async (blockSeconds, stepMs) => {
  const { rotation, waits, stopping, time, line } = await stage({ blockSeconds });
  let looks = 0;
  line.idle = async () => void (looks += 1);
  const running = rotation.run();
  await time.pass(5 * stepMs);
  expect(waits).toEqual(Array.from({ length: 6 }, () => stepMs));
  expect(looks).toBe(5);
  stopping.abort();
  await running;
  expect(waits).toHaveLength(6);
  expect(looks).toBe(5);
});

test('looks often and does nothing while there is no log', async () => {
  const { rotation, waits, stopping, time, attempts, line, failures } = await stage({ size: 0 });
  line.idle = () => Promise.reject(new Error('never asked'));
  const running = rotation.run();
  await time.pass(1_000);
  expect(waits).toEqual([250, 250, 250, 250, 250]);
  expect([...attempts, ...failures]).toEqual([]);
  stopping.abort();
  await running;
});

test('a secret goes once the relay was heard after the key was closed, and what came is processed', async () => {
  const { tickAt, rotation, line, secretsAt, at } = await stage();
  await tickAt(-0.1);
  const closed = 1.01;
  line.heardMs = at(0.99);
  await tickAt(closed);
  expect(secretsAt(at(-0.5))).toBe(1);
  line.heardMs = null;
  let processed: () => void = () => {};
  line.idle = () => new Promise((resolve) => (processed = resolve));
  const ticking = rotation.tick();
  await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(secretsAt(at(-0.5))).toBe(1);
  // What was on its way is lost with the connection.
  line.kind = 'offline';
  processed();
  await ticking;
  expect(secretsAt(at(-0.5))).toBe(1);
  line.kind = 'online';
  line.idle = async () => {};
  line.unopened = [{ createdMs: at(-0.5), blockEndMs: at(0) }];
  await rotation.tick();
  expect(secretsAt(at(-0.5))).toBe(1);
  line.unopened = [];
  // The relay was heard then; that holds also now that it is gone.
  await rotation.tick();
  line.kind = 'offline';
  await rotation.tick();
  expect(secretsAt(at(-0.5))).toBe(0);
});

test('what was heard stays heard while the relay is out of reach', async () => {
  const { tickAt, line, secretsAt, at } = await stage();
  await tickAt(-0.1);
  line.unopened = [{ createdMs: at(-0.5), blockEndMs: at(0) }];
  await tickAt(1.1);
  line.kind = 'offline';
  line.unopened = [];
  await tickAt(1.2);
  expect(secretsAt(at(-0.5))).toBe(0);
});

test('a clock that was fast for a moment closes no key to come', async () => {
  const { tickAt, line, sealing, blockMs, at } = await stage();
  line.aheadMs = 4 * blockMs;
  line.answer = refused;
  await tickAt(-0.9);
  expect(sealing.hasNewest).toBe(false);
  line.aheadMs = 0;
  line.answer = null;
  // The first key is gone for good; the next is published at once, and stays for its time.
  await tickAt(-0.8);
  expect(sealing.newest).toMatchObject({ notBeforeMs: at(0) });
  for (const blocks of [-0.5, 0, 0.5, 0.9]) {
    await tickAt(blocks);
    expect(sealing.hasNewest).toBe(true);
    expect(sealing.keysFor({ author: 'somebody' as never, createdMs: at(0.5) })).not.toHaveLength(0);
  }
});

test('what was heard by a clock that was fast counts for nothing once it was put right', async () => {
  const { tickAt, line, secretsAt, at } = await stage();
  await tickAt(-0.1);
  line.heardMs = at(5);
  await tickAt(1.5);
  expect(secretsAt(at(-0.5))).toBe(1);
  line.heardMs = null;
  await tickAt(1.6);
  expect(secretsAt(at(-0.5))).toBe(0);
});

test('a clock that was set back does not keep a secret that the log outlived', async () => {
  const { tickAt, line, secretsAt, at, blockMs } = await stage();
  line.kind = 'offline';
  line.aheadMs = -20 * blockMs;
  line.logMs = at(10);
  await tickAt(0.5);
  expect(secretsAt(at(-0.5))).toBe(0);
});

test('a store that fails is told to the connection, and tried again at the next tick', async () => {
  const { rotation, stopping, time, line, failures, sealing, blockMs } = await stage();
  const running = rotation.run();
  line.failStore = true;
  await time.pass(blockMs);
  expect(failures.length).toBeGreaterThan(10);
  for (const failure of failures) expect(failure).not.toBeInstanceOf(ClientError);
  line.kind = 'offline';
  await time.pass(blockMs);
  line.kind = 'online';
  line.failStore = false;
  await time.pass(blockMs);
  expect(sealing.unpublished).toBeNull();
  expect(sealing.newest?.notAfterMs).toBeGreaterThan(time.now());
  stopping.abort();
  await running;
});

test('what the relay refuses to take does not keep secrets, and is no failure of this device', async () => {
  const { tickAt, line, failures, secretsAt, at } = await stage();
  line.answer = offline;
  await tickAt(2.5);
  expect(failures).toEqual([]);
  expect(secretsAt(at(-0.5))).toBe(0);
});

test('before it starts an epoch, a device whose newest secret is gone makes a key, or says why there is none', async () => {
  const { tickAt, rotation, line, sealing, attempts } = await stage();
  await rotation.ready();
  expect(attempts).toHaveLength(0);
  line.answer = refused;
  await tickAt(2.5);
  expect(sealing.hasNewest).toBe(false);
  await expect(rotation.ready()).rejects.toMatchObject({ code: 'not-ready' });
  line.answer = null;
  await rotation.ready();
  expect(sealing.hasNewest).toBe(true);
});
