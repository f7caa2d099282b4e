import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type DeviceStore,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { until } from '../../hostile/stage.ts';

const schema = z.object({ title: z.string().min(1), status: z.enum(['open', 'done']) });
const definition = defineOrganisation({
  requests: sensitive.record(schema, { edit: { status: ['admin'] } }),
});
/** What somebody runs who does not care, or has not updated. */
const lawless = defineOrganisation({
  requests: sensitive.record(z.object({ title: z.string(), status: z.string() })),
  notes: sensitive.log(z.object({ text: z.string() })),
});
/** The next version of the application. */
const updated = defineOrganisation({ ...definition, notes: lawless.notes });

let relay: Relay;
let ada: Client<typeof definition>;
let bo: Client<typeof lawless>;
let cy: Client<typeof definition>;
let cysStore: DeviceStore;
let id: string;
const fresh = () => ({ ports: nodePorts, store: memoryDeviceStore() });
const rejections = (client: Pick<Client<typeof definition>, 'rejected'>): string[] =>
  client.rejected.map(({ handle, collection, code }) => `${handle} ${collection} ${code}`);
const status = (client: Client<typeof definition>): string | undefined =>
  client.collections.requests.get(id)?.body.status;

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  ada = await createOrganisation({ ...fresh(), definition, relayUrl: relay.url, handle: 'ada' });
  bo = await join({ ...fresh(), definition: lawless, link: await ada.invite(), handle: 'bo' });
  cysStore = { ...memoryDeviceStore(), close: async () => {} };
  const link = await ada.invite();
  cy = await join({ ports: nodePorts, store: cysStore, definition, link, handle: 'cy' });
  await Promise.all([bo.online(), cy.online()]);
});

afterAll(async () => {
  for (const client of [ada, bo, cy]) await client?.close();
  await relay?.close();
});

describe('rules of records, among devices that run different builds', () => {
  test('one’s own client refuses, and whoever goes round it changes nothing for the others', async () => {
    id = await cy.collections.requests.create({ title: 'Water', status: 'open' });
    await cy.settled();
    await expect(cy.collections.requests.edit(id, { status: 'done' })).rejects.toMatchObject({
      code: 'not-allowed',
    });
    await until(() => bo.collections.requests.get(id) !== null, 'the request');
    await bo.collections.requests.edit(id, { status: 'done' });
    await bo.collections.requests.edit(id, { title: '' });
    await bo.collections.notes.append({ text: 'from the next version' });
    await bo.settled();
    const expected = ['bo requests field', 'bo requests schema', 'bo notes unknown-collection'];
    for (const client of [ada, cy]) {
      await until(() => client.rejected.length === 3, 'three that do not count');
      expect(rejections(client)).toEqual(expected);
      expect(client.unreadable.filter(({ code }) => code === 'invalid')).toHaveLength(3);
      expect(client.collections.requests.get(id)?.body).toEqual({ title: 'Water', status: 'open' });
      expect(
        client.collections.requests.history(id).map(({ handle, rejected }) => [handle, rejected]),
      ).toEqual([
        ['cy', null],
        ['bo', 'field'],
        ['bo', 'schema'],
      ]);
    }
    const told: string[] = [];
    ada.on('rejected', ({ code }) => told.push(code));
    expect(told).toEqual(['field', 'schema', 'unknown-collection']);
  });

  test('a role counts for what was written while it was held: not before, and not after', async () => {
    const edit = async (value: string): Promise<void> => {
      await bo.collections.requests.edit(id, { status: value });
      await bo.settled();
    };
    const reaches = (epoch: number): Promise<void> =>
      until(() => ada.epoch === epoch && bo.epoch === epoch, 'the epoch of the role');
    const before = bo.epoch;
    await ada.setRole(bo.member, 'admin');
    await reaches(before + 1);
    await edit('done');
    await until(() => status(ada) === 'done' && status(cy) === 'done', 'an admin’s word');
    await ada.setRole(bo.member, 'member');
    await reaches(before + 2);
    await edit('open');
    for (const client of [ada, cy]) await until(() => client.rejected.length === 4, 'a member’s word');
    expect([status(ada), status(cy)]).toEqual(['done', 'done']);
    expect(rejections(cy).at(-1)).toBe('bo requests field');
  });

  test('the next version of the application takes what the last one kept, and decides the rest alike', async () => {
    const known = cy.collections.requests.history(id);
    await cy.close();
    const anew = await connect({ ports: nodePorts, store: cysStore, definition: updated });
    try {
      await anew.online();
      expect(anew.collections.notes.read().map(({ body }) => body.text)).toEqual(['from the next version']);
      expect(anew.rejected.map(({ code }) => code)).toEqual(['field', 'schema', 'field']);
      expect(anew.collections.requests.get(id)?.body).toEqual({ title: 'Water', status: 'done' });
      expect(anew.collections.requests.history(id)).toEqual(known);
    } finally {
      await anew.close();
    }
  });
});

test('an application that would keep longer than the organisation allows founds none, and is not locked out of one', async () => {
  const month = defineOrganisation({ chat: sensitive.log(schema, { retentionDays: 31 }) });
  const weeks = defineOrganisation({ ...definition, chat: sensitive.log(schema, { retentionDays: 20 }) });
  const store = { ...memoryDeviceStore(), close: async () => {} };
  const founding = { ports: nodePorts, store, relayUrl: relay.url, handle: 'eve' };
  await expect(createOrganisation({ ...founding, definition: month })).rejects.toMatchObject({
    code: 'retention-too-long',
  });
  // Nothing was founded.
  await expect(connect({ ...founding, definition })).rejects.toMatchObject({ code: 'no-organisation' });

  const client = await createOrganisation({ ...founding, definition: weeks });
  expect(client.shortened).toEqual([]);
  let told = 0;
  client.subscribe(() => void (told += client.shortened.length > 0 ? 1 : 0));
  // An admin's word wins, and is told to the app.
  await client.setPolicy((policy) => ({ ...policy, retentionSeconds: 7 * 86_400 }));
  const expected = [{ collection: 'chat', declaredDays: 20, days: 7 }];
  await until(() => told > 0, 'the app to be told');
  expect(client.shortened).toEqual(expected);
  expect(client.shortened).toBe(client.shortened);
  await client.close();
  const again = await connect({ ...founding, definition: weeks });
  expect(again.shortened).toEqual(expected);
  await again.collections.chat.append({ title: 'hello', status: 'open' });
  await again.close();
});
