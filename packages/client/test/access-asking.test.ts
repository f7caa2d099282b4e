import { memoryKeyStore } from '@keytide/crypto-core';
import type { Device } from '@keytide/key-directory';
import { expect, test } from 'vitest';
import { Access, type AccessOptions } from '../src/access.ts';
import { Asking, type AskingOptions } from '../src/access-asking.ts';
import type { AccessEvent } from '../src/access-view.ts';
import type { SyncState } from '../src/connection.ts';
import { ClientError } from '../src/errors.ts';
import { OwnRequests } from '../src/own-request.ts';
import { accessWorld } from './access-world.ts';

/** Carol's device, which lacks the key of epoch 4, and what the relay has for it. */
async function carolAsks(name: string, reread: () => Promise<void> = async () => {}) {
  const access = accessWorld(name);
  const { world, primitives, random, carol, wireAt } = access;
  const { size } = world.state;
  const statement = { epoch: 4, checkpoint: { size }, blockStartMs: 0, blockEndMs: world.clock.now() };
  const requests = await OwnRequests.open({
    primitives,
    random,
    keyStore: memoryKeyStore(),
    signer: carol.signer,
  });
  const answers: Uint8Array[] = [];
  const events: AccessEvent[] = [];
  let isHeld = false;
  const options = {
    log: {
      ports: { primitives },
      self: { device: carol.id },
      directory: {
        get state() {
          return world.state;
        },
        get size() {
          return world.state.size;
        },
        wires: (from: number) => [wireAt(from)],
      },
      pullDirectory: async () => {},
    },
    group: world.state.everyone,
    api: { ask: async () => {}, answers: async () => answers, forget: async () => {} },
    requests,
    epochs: {
      lacking: () => (isHeld ? [] : [{ statement, wasRecipient: true }]),
      statementOf: () => statement,
      importKeys: async () => {
        isHeld = true;
        return [4];
      },
    },
    now: () => world.clock.now(),
    reread,
    tell: (event: AccessEvent) => void events.push(event),
  } as unknown as AskingOptions;
  const asking = new Asking(options);
  expect((world.state.devices.get(carol.id) as Device).revokedAt).toBeNull();
  await asking.ask();
  const own = requests.current as NonNullable<typeof requests.current>;
  return { ...access, options, asking, requests, own, answers, events };
}

test('keys that came while nothing could be shown are shown later, though nothing is asked for any more', async () => {
  let rereads = 0;
  const { asking, requests, own, answers, alice, answer, record } = await carolAsks(
    'shown later',
    async () => {
      rereads += 1;
      if (rereads === 1) throw new ClientError('offline', 'no network');
    },
  );
  answers.push(answer(alice, own, [4]));
  record(alice, own);
  await expect(asking.tick()).rejects.toMatchObject({ code: 'offline' });
  await asking.tick();
  expect([rereads, requests.current]).toEqual([2, null]);
  await asking.tick();
  expect(rereads).toBe(2);
});

test('a refusal beside a grant whose entry is still to come waits for it: one admin’s yes wins, in any order', async () => {
  for (const isRefusalFirst of [true, false]) {
    const { asking, requests, own, answers, events, alice, bob, answer, record } = await carolAsks('both');
    const both = [answer(bob, own, 'not now'), answer(alice, own, [4])];
    answers.push(...(isRefusalFirst ? both : both.toReversed()));
    await asking.tick();
    expect([requests.current?.id, events]).toEqual([own.id, []]);
    record(alice, own);
    await asking.tick();
    expect([requests.current, requests.refusedThrough]).toEqual([null, 0]);
    expect(events).toEqual([{ kind: 'granted', epochs: [4], by: expect.any(String) }]);
  }
});

test('a refusal beside what only looks like a grant is taken: a former admin’s word, or one for another request', async () => {
  const { asking, requests, own, answers, events, bob, dave, answer, ask, carol } = await carolAsks('a no');
  answers.push(answer(dave, own, [4]), answer(bob, ask(carol), [4]), answer(bob, own, 'not now'));
  await asking.tick();
  expect([requests.current, requests.refusedThrough]).toEqual([null, 4]);
  expect(events.filter(({ kind }) => kind === 'refused')).toHaveLength(1);
});

test('a relay that has a refusal, and not the grant that is in the log, is told of', async () => {
  const { asking, requests, own, answers, events, alice, bob, answer, record } =
    await carolAsks('a no alone');
  answers.push(answer(bob, own, 'not now'));
  record(alice, own);
  await asking.tick();
  expect([requests.current?.id, events]).toEqual([
    own.id,
    [{ kind: 'rejected', what: 'answer', code: 'answer-withheld' }],
  ]);
  answers.push(answer(alice, own, [4]));
  await asking.tick();
  expect([requests.current, events[1]?.kind, events.length]).toEqual([null, 'granted', 2]);
});

test('a person who asks while the log is still being read is heard once it is', async () => {
  const { options, requests, clock, random } = await carolAsks('read on');
  await requests.drop();
  let kind: SyncState['kind'] = 'catching-up';
  let look: () => void = () => {};
  const { statement } = options.epochs.lacking()[0] as ReturnType<typeof options.epochs.lacking>[number];
  const access = new Access({
    ...options,
    epochs: {
      ...options.epochs,
      lacking: () => (kind === 'online' ? [{ statement, wasRecipient: false }] : []),
    },
    ports: {
      clock: { now: () => clock.now(), wait: (_: number, signal: AbortSignal) => aborted(signal) },
      random,
    },
    isOnline: () => kind === 'online',
    sync: () => ({
      get state() {
        return { kind };
      },
      assertNotOver: () => {},
      until: async (condition: () => boolean) => {
        while (!condition()) await new Promise<void>((resolve) => (look = resolve));
      },
    }),
  } as unknown as AccessOptions);
  const asked = access.request();
  await new Promise((resolve) => setTimeout(resolve, 20));
  kind = 'online';
  look();
  expect(await asked).toMatchObject({ firstEpoch: 4, lastEpoch: 4 });
  await access.stop();
});

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });
