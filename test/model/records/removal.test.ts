import {
  createOrganisation,
  DEFAULT_POLICY,
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

const definition = defineOrganisation({ requests: sensitive.record(z.object({ title: z.string() })) });
type Device = Client<typeof definition>;
const DAY_MS = 86_400_000;

test('a removal that comes late, after a renewal by who did not know, is not undone when its key is over', async () => {
  const { now, leap, ports } = leapingClock(Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2);
  const relay = await startRelay({ database: memoryDatabase(), port: 0, clock: { now }, log: () => {} });
  const fresh = () => ({ definition, ports: ports(), store: memoryDeviceStore() });
  const policy = { ...DEFAULT_POLICY, retentionSeconds: (2 * DAY_MS) / 1000 };
  const ada = await createOrganisation({ ...fresh(), relayUrl: relay.url, handle: 'ada', policy });
  const bo = await join({ ...fresh(), link: await ada.invite(), handle: 'bo' });
  try {
    await bo.online();
    const id = await bo.collections.requests.create({ title: 'water' });
    const removals = (device: Device): number =>
      device.collections.requests.history(id).filter(({ act }) => act === 'remove').length;
    await until(() => ada.collections.requests.get(id) !== null, 'the request');
    ada.pause();
    await until(() => ada.state.kind === 'offline', 'ada to be away');
    await ada.collections.requests.remove(id);

    leap(DAY_MS);
    const before = bo.epoch;
    await bo.collections.requests.edit(id, { title: 'water, still' });
    await until(() => bo.epoch === before + 1, 'a day');
    await bo.collections.requests.renew(id);
    await bo.settled();

    ada.resume();
    // The first under the key of the day before, the second under that of the renewal.
    await until(() => removals(bo) === 2, 'the removal, and once more');
    expect(bo.collections.requests.get(id)).toBeNull();

    // The renewal’s key is the only one that is left.
    leap(1.7 * DAY_MS);
    await until(() => removals(bo) === 1, 'the first day to be over');
    expect(bo.collections.requests.history(id).map(({ act }) => act)).toEqual(['create', 'remove']);
    expect(bo.collections.requests.get(id)).toBeNull();
  } finally {
    await bo.close();
    await ada.close();
    await relay.close();
  }
});
