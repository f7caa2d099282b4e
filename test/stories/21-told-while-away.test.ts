import {
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { checkWebhook, memoryDatabase, type PushService, startPushService } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

const PATIENCE = { timeout: 20_000 };
const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string() })) });
const secret = new Uint8Array(32).fill(7);
const limits = { pushTickMs: 20, pushGraceMs: 1_000, pushIntervalMs: 60, pushRepeatMs: 60 };

let service: PushService;
let relay: Relay;
let ada: Client<typeof definition>;
let bo: Client<typeof definition>;

beforeAll(async () => {
  service = await startPushService();
  const push = { webhook: { url: `${service.origin}/hook`, secret }, allow: [service.origin] };
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {}, push, limits });
  const own = { definition, ports: nodePorts };
  ada = await createOrganisation({
    ...own,
    store: memoryDeviceStore(),
    relayUrl: relay.url,
    handle: 'ada',
  });
  bo = await join({ ...own, store: memoryDeviceStore(), link: await ada.invite(), handle: 'bo' });
  await Promise.all([ada.online(), bo.online()]);
});

afterAll(async () => {
  await Promise.all([ada?.close(), bo?.close()]);
  await relay?.close();
  await service?.close();
});

test('a phone in the background is told that there is something, and finds out what', async () => {
  expect(await bo.push.offer()).toEqual({ kinds: ['webhook'], vapidKey: null });
  await bo.push.register({ kind: 'webhook', target: 'the-phone-of-bo' });
  await ada.collections.chat.append({ text: 'bo is here' });
  await expect.poll(() => bo.collections.chat.read().length, PATIENCE).toBe(1);
  bo.pause();
  await expect.poll(() => bo.state.kind, PATIENCE).not.toBe('online');
  await ada.collections.chat.append({ text: 'the bridge is closed' });
  await ada.settled();
  await service.until(1);
  const [word] = service.seen as [(typeof service.seen)[0]];
  checkWebhook(word, { secret, nowMs: Date.now() });
  expect(JSON.parse(word.body)).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{32}$/),
    token: 'the-phone-of-bo',
  });
  bo.resume();
  await expect.poll(() => bo.collections.chat.read().length, PATIENCE).toBe(2);
});

test('who wants to be left alone is', async () => {
  const wrong = bo.push.register({ kind: 'web-push', target: 'https://push.example/one' });
  await expect(wrong).rejects.toMatchObject({ code: 'relay-refused', relayCode: 'push-refused' });
  await bo.push.unregister();
  const before = service.seen.length;
  bo.pause();
  await expect.poll(() => bo.state.kind, PATIENCE).not.toBe('online');
  await ada.collections.chat.append({ text: 'nobody hears of this' });
  await ada.settled();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(service.seen.length).toBe(before);
  await bo.close();
  await expect(bo.push.unregister()).rejects.toMatchObject({ code: 'closed' });
});
