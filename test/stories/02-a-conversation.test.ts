import {
  connect,
  createOrganisation,
  DEFAULT_POLICY,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string().min(1) })),
  requests: sensitive.record(z.object({ title: z.string().min(1), status: z.enum(['open', 'done']) })),
});
type Device = Client<typeof definition>;

let relay: Relay;
let ada: Device;
let bo: Device;
const options = () => ({ definition, ports: nodePorts, store: memoryDeviceStore() });

/** Until this device has `count` chat messages. */
async function texts(device: Device, count: number): Promise<string[]> {
  const found: string[] = [];
  for await (const item of device.collections.chat.follow(AbortSignal.timeout(50_000))) {
    found.push(`${item.handle}: ${item.body.text}`);
    if (found.length === count) break;
  }
  return found;
}

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  ada = await createOrganisation({ ...options(), relayUrl: relay.url, handle: 'ada' });
  await ada.online();
  bo = await join({ ...options(), link: await ada.invite(), handle: 'bo' });
  await bo.online();
});

afterAll(async () => {
  await ada?.close();
  await bo?.close();
  await relay?.close();
});

describe('two people', () => {
  test('see each other in the verified list of members', () => {
    for (const device of [ada, bo]) {
      expect(device.members().map(({ handle, role }) => [handle, role])).toEqual(
        expect.arrayContaining([
          ['ada', 'admin'],
          ['bo', 'member'],
        ]),
      );
    }
  });

  test('chat both ways, in one order', async () => {
    await ada.collections.chat.append({ text: 'hello' });
    await texts(bo, 1);
    await bo.collections.chat.append({ text: 'hello yourself' });
    const expected = ['ada: hello', 'bo: hello yourself'];
    expect(await texts(ada, 2)).toEqual(expected);
    expect(await texts(bo, 2)).toEqual(expected);
  });

  test('edit one request from both sides and agree', async () => {
    const id = await ada.collections.requests.create({ title: 'Water', status: 'open' });
    await ada.settled();
    await changes(bo, 1);
    await bo.collections.requests.edit(id, { status: 'done' });
    await ada.collections.requests.edit(id, { title: 'Water, two boxes' });
    await Promise.all([ada.settled(), bo.settled()]);
    await Promise.all([changes(ada, 3), changes(bo, 3)]);
    const expected = [{ id, body: { title: 'Water, two boxes', status: 'done' }, pending: false }];
    expect(ada.collections.requests.list()).toEqual(expected);
    expect(bo.collections.requests.list()).toEqual(expected);
  });

  test('refuse what the schema refuses, and write nothing', async () => {
    await expect(ada.collections.chat.append({ text: '' })).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(ada.collections.requests.edit('0'.repeat(32), {})).rejects.toMatchObject({
      code: 'unknown-record',
    });
    expect(ada.waiting).toBe(0);
  });

  test('an invite works once', async () => {
    const link = await ada.invite();
    const first = await join({ ...options(), link, handle: 'cy' });
    await expect(join({ ...options(), link, handle: 'di' })).rejects.toMatchObject({
      code: 'relay-refused',
      relayCode: 'login-refused',
    });
    await first.close();
    expect(first.unreadable.every(({ code }) => code === 'ask-an-admin')).toBe(true);
  });

  test('an organisation that was made is not made again: whoever did not hear of it asks again', async () => {
    const store = { ...memoryDeviceStore(), close: async () => {} };
    const founding = { definition, ports: nodePorts, store, relayUrl: relay.url, handle: 'eve' };
    const first = await createOrganisation(founding);
    await first.close();
    const again = await createOrganisation(founding);
    expect([again.org, again.device, again.member]).toEqual([first.org, first.device, first.member]);
    await again.close();
    const others = [
      { handle: 'eva' },
      { relayUrl: 'http://127.0.0.1:1' },
      { policy: { ...DEFAULT_POLICY, blockSeconds: 3600 } },
    ];
    for (const other of others) {
      await expect(createOrganisation({ ...founding, ...other })).rejects.toMatchObject({
        code: 'already-joined',
      });
    }
  });

  test('an empty store is told what to do', async () => {
    await expect(connect(options())).rejects.toMatchObject({ code: 'no-organisation' });
  });
});

async function changes(device: Device, count: number): Promise<void> {
  let seen = 0;
  for await (const _ of device.collections.requests.follow(AbortSignal.timeout(50_000))) {
    seen += 1;
    if (seen === count) return;
  }
}
