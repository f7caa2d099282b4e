import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
} from '@keytide/client';
import { startRelay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { until } from '../../hostile/stage.ts';
import { leapingClock } from '../../stories/leaping-clock.ts';

const schema = z.object({ text: z.string() });
const definition = defineOrganisation({
  chat: sensitive.log(schema),
  notes: sensitive.log(schema, { retentionDays: 1 }),
  requests: sensitive.record(schema, { retentionDays: 2 }),
});
type Device = Client<typeof definition>;
const DAY_MS = 86_400_000;

const shown = ({ collections: { chat, notes, requests } }: Device): number[] =>
  [chat.read(), notes.read(), requests.list()].map(({ length }) => length);

test('a collection’s own window ends on members’ devices only: with the app open, and closed', async () => {
  const { now, leap, ports } = leapingClock(Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2);
  const relay = await startRelay({ database: memoryDatabase(), port: 0, clock: { now }, log: () => {} });
  const store = { ...memoryDeviceStore(), close: async () => {} };
  const bos = { definition, ports: ports(), store };
  const ada = await createOrganisation({
    definition,
    ports: ports(),
    store: memoryDeviceStore(),
    relayUrl: relay.url,
    handle: 'ada',
  });
  let bo = await join({ ...bos, link: await ada.invite(), handle: 'bo' });
  try {
    await bo.online();
    const { chat, notes, requests } = ada.collections;
    await chat.append({ text: 'stays' });
    await notes.append({ text: 'a day' });
    await requests.create({ text: 'two days' });
    await until(() => String(shown(bo)) === '1,1,1', 'all three');
    // The block ends at midnight, and a day after it the note is over.
    leap(1.4 * DAY_MS);
    expect(shown(bo)).toEqual([1, 1, 1]);
    leap(0.2 * DAY_MS);
    await until(() => String(shown(bo)) === '1,0,1', 'the note to be over');
    expect(shown(ada)).toEqual([1, 1, 1]);
    expect(bo.unreadable.filter(({ code }) => code === 'expired-by-policy')).toHaveLength(1);

    await bo.close();
    leap(DAY_MS);
    bo = await connect(bos);
    expect(shown(bo)).toEqual([1, 0, 0]);
    expect(bo.unreadable.filter(({ code }) => code === 'expired-by-policy')).toHaveLength(2);
  } finally {
    await bo.close();
    await ada.close();
    await relay.close();
  }
});
