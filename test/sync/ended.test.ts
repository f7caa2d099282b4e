import {
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  org,
  sensitive,
} from '@keytide/client';
import { nodePorts as ports } from '@keytide/client/node';
import { startRelay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { crashingStore, type CrashingStore } from './crashing-store.ts';

const PATIENCE = { timeout: 20_000 };
const definition = defineOrganisation({
  requests: sensitive.record(z.object({ title: z.string().max(10) })),
  shifts: org(z.object({ place: z.string() })),
});

/** A store whose outbox takes as long to be durable as `gate` does. */
function slowOutbox(store: CrashingStore, gate: () => Promise<void>): CrashingStore {
  return {
    ...store,
    async journal(name) {
      const journal = await store.journal(name);
      if (name !== 'outbox') return journal;
      const { read, append, cut } = journal;
      return {
        get length() {
          return journal.length;
        },
        ...{ read, append, cut },
        flush: () => gate().then(() => journal.flush()),
      };
    },
  };
}

test('a wiped device shows nothing of what it held, nor of what it was about to write', async () => {
  const relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  // Another build than bo's, so that something of ada's is against the rules there.
  const other = { ...definition, requests: sensitive.record(z.object({ title: z.string() })) };
  const founding = {
    definition: other,
    ports,
    store: memoryDeviceStore(),
    relayUrl: relay.url,
    handle: 'ada',
  };
  const ada = await createOrganisation(founding);
  let gate = Promise.resolve();
  const store = slowOutbox(crashingStore(), () => gate);
  const bo = await join({ definition, ports, store, link: await ada.invite(), handle: 'bo' });
  const { requests, shifts } = bo.collections;
  await ada.collections.shifts.put('monday', { place: 'depot' });
  await ada.direct.send(bo.member, { text: 'the code is 4711' });
  await ada.collections.requests.create({ title: 'the code is 4711' });
  await requests.create({ title: 'water' });
  await bo.settled();
  const shown = (): number[] => [
    requests.list().length,
    shifts.shown()?.length ?? 0,
    bo.direct.read(ada.member).length,
    bo.rejected.length,
  ];
  await expect.poll(shown, PATIENCE).toEqual([1, 1, 1, 1]);

  let goOn = (): void => {};
  gate = new Promise((resolve) => (goOn = resolve));
  const writing = requests.create({ title: 'insulin' });
  await ada.wipe({ of: 'device', device: bo.device });
  await expect.poll(() => bo.state.kind, PATIENCE).toBe('wiped');
  expect(shown()).toEqual([0, 0, 0, 0]);
  goOn();
  await writing;
  expect(shown()).toEqual([0, 0, 0, 0]);
  bo.on('rejected', (rejected) => expect.fail(rejected.code));
  const { direct, attachments } = bo;
  const calls = [
    () => requests.create({ title: 'more' }),
    () => shifts.list(),
    () => shifts.put('tuesday', { place: 'school' }),
    () => direct.send(ada.member, { text: 'more' }),
    () => attachments.upload(Uint8Array.of(1)),
    () => bo.inviteDevice(),
    () => bo.audit(),
    () => bo.online(),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'wiped' });
  for await (const message of bo.direct.follow(ada.member)) expect(message).toBeNull();
  for await (const change of shifts.follow()) expect(change).toBeNull();
  for (const client of [bo, ada]) await client.close();
  await relay.close();
});
