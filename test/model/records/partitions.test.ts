import {
  ClientError,
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type DeviceStore,
} from '@keytide/client';
import { startRelay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { noonPorts as ports, now } from '../../hostile/noon-ports.ts';
import { until } from '../../hostile/stage.ts';

const schema = z.object({ title: z.string().min(1), status: z.enum(['open', 'done']), note: z.string() });
const definition = defineOrganisation({
  requests: sensitive.record(schema, { edit: { status: ['admin'], note: ['owner'] } }),
});
type Device = Client<typeof definition>;
/** The same without the rules. */
const lawless = { requests: { ...definition.requests, ...sensitive.record(schema) } };

const NAMES = ['ada', 'bo', 'cy', 'di'] as const;
/** Whose application keeps to the rules. */
const LAWFUL = NAMES.slice(0, 3);
const SEED = 20_260_101;

/** What one of them does next: `which` is the record, and the value that is written. */
const step = fc.record({
  who: fc.nat(NAMES.length - 1),
  act: fc.constantFrom(
    'create',
    'title',
    'title',
    'status',
    'status',
    'note',
    'remove',
    'renew',
    'away',
    'role',
  ),
  which: fc.nat(7),
});

test('real clients that come and go show the same records, histories and rejections', async () => {
  const relay = await startRelay({ database: memoryDatabase(), port: 0, clock: { now }, log: () => {} });
  const stores = NAMES.map((): DeviceStore => ({ ...memoryDeviceStore(), close: async () => {} }));
  const devices: Device[] = [];
  try {
    const options = (index: number) => ({
      ports,
      definition: (NAMES[index] === 'di' ? lawless : definition) as typeof definition,
      store: stores[index] as DeviceStore,
    });
    const ada = await createOrganisation({ ...options(0), relayUrl: relay.url, handle: 'ada' });
    devices.push(ada);
    for (const [index, handle] of NAMES.entries())
      if (index > 0) devices.push(await join({ ...options(index), link: await ada.invite(), handle }));
    for (const device of devices) await device.online();
    const ids: string[] = [];
    const away = new Set<Device>();
    let refused = 0;

    const take = async ({ who, act, which }: typeof step extends fc.Arbitrary<infer S> ? S : never) => {
      const device = devices[who] as Device;
      const { requests } = device.collections;
      const id = ids[which % Math.max(1, ids.length)] ?? '';
      if (act === 'create')
        ids.push(await requests.create({ title: `t${which}`, status: 'open', note: NAMES[who] as string }));
      else if (act === 'title') await requests.edit(id, { title: `${which} of ${NAMES[who]}` });
      else if (act === 'note') await requests.edit(id, { note: `${which} of ${NAMES[who]}` });
      else if (act === 'status') await requests.edit(id, { status: which % 2 === 0 ? 'done' : 'open' });
      else if (act === 'remove' && which === 0) await requests.remove(id);
      else if (act === 'renew') await requests.renew(id);
      else if (act === 'role' && !away.has(ada)) {
        const cy = devices[2] as Device;
        const is = ada.members().find((member) => member.id === cy.member)?.role;
        await ada.setRole(cy.member, is === 'admin' ? 'member' : 'admin');
      } else if (act === 'away') {
        if (away.delete(device)) device.resume();
        else {
          device.pause();
          away.add(device);
        }
      }
    };
    for (const next of fc.sample(step, { seed: SEED, numRuns: 120 })) {
      await take(next).catch((error: unknown) => {
        if (!(error instanceof ClientError) || !['not-allowed', 'unknown-record'].includes(error.code))
          throw error;
        refused += 1;
      });
    }
    for (const device of away) device.resume();
    for (const device of devices) await device.settled();

    const shown = ({ collections: { requests }, rejected }: Device) => ({
      list: requests.list(),
      histories: ids.map((id) => requests.history(id)),
      rejected,
    });
    const lawful = devices.slice(0, LAWFUL.length);
    const places = (device: Device): number[] =>
      shown(device).histories.flatMap((lines) => lines.map(({ seq }) => seq));
    const isSettled = (): boolean => new Set(devices.map((device) => String(places(device)))).size === 1;
    await until(isSettled, 'everybody to have everything');
    const [first, ...others] = lawful.map(shown);
    for (const other of others) expect(other).toEqual(first);
    expect(places(ada).length).toBeGreaterThan(25);
    expect(first?.list.length).toBeGreaterThan(2);
    expect(first?.rejected.length).toBeGreaterThan(1);
    expect(refused).toBeGreaterThan(2);

    // Decided anew, from what the store holds.
    await devices[1]?.close();
    const again = await connect(options(1));
    devices[1] = again;
    expect(shown(again)).toEqual(first);
  } finally {
    for (const device of devices) await device.close();
    await relay.close();
  }
});
