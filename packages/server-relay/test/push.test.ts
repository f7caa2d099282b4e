import { setTimeout as sleep } from 'node:timers/promises';
import { toBase64Url } from '@keytide/crypto-core';
import { createRevokeDevice, createWipe } from '@keytide/key-directory';
import {
  checkVapid,
  seededWorld,
  startPushService,
  type PushService,
  type SeededDevice,
} from '@keytide/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { announceOf, appendOf } from './group.ts';
import { greet, type Line } from './line.ts';
import { appendLog, call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const world = seededWorld({ seed: 'push', members: 2, devicesPerMember: 3 });
const [ada, bo] = world.members.map(({ devices }) => devices) as unknown as [SeededDevice[], SeededDevice[]];
const [author, desk] = ada as [SeededDevice, SeededDevice];
const [phone, tablet, lost] = bo as [SeededDevice, SeededDevice, SeededDevice];
const PUSH = `/organisations/${world.org}/push`;
const GRACE = 1_000;
const limits = {
  pushTickMs: 10,
  pushGraceMs: GRACE,
  pushIntervalMs: 10_000,
  pushRepeatMs: 60_000,
  pushTimeoutMs: 500,
};
const tokens = new Map<SeededDevice, string>();
let service: PushService;
let relay: RelayUnderTest;
let line: Line;
let requests = 1;
let statement: Uint8Array;

beforeAll(async () => {
  service = await startPushService();
  const key = world.primitives.sha256(world.random(32));
  const push = { webPush: { key, subject: 'mailto:operator@example.org' }, allow: [service.origin] };
  relay = await relayUnderTest({ clock: world.clock, limits, push });
  await settle(relay, world);
  for (const device of [...ada, ...bo]) tokens.set(device, await tokenOf(relay, world.org, device));
  line = await greet(relay, as(author).token);
  const first = await announceOf(world, author, requests);
  line.send(first);
  statement = first.hash;
  await line.next('appended');
});
afterAll(async () => {
  await relay.close();
  await service.close();
});
beforeEach(() => void world.clock.advance(61_000));

const as = (device: SeededDevice) => ({ token: tokens.get(device) as string });
const register = async (device: SeededDevice, target: string, kind = 'web-push') => {
  const { status, body } = await call(relay, 'PUT', PUSH, { ...as(device), body: { kind, target } });
  return status === 200 ? 'registered' : `${body.code}${body.reason === undefined ? '' : ` ${body.reason}`}`;
};
const forget = (device: SeededDevice) => call(relay, 'DELETE', PUSH, as(device));
const at = (path: string) => `${service.origin}/${path}`;

async function write(): Promise<void> {
  requests += 1;
  line.send(appendOf(world, requests));
  await line.next('appended');
}

/** What was asked for since, once a word could have come to everybody. */
async function told(before: number, count: number): Promise<string[]> {
  world.clock.advance(GRACE);
  await service.until(before + count);
  await sleep(150);
  return service.seen.slice(before).map(({ path }) => path.slice(1));
}

test('tells who is not connected that something was stored, and the push service nothing else', async () => {
  const { body } = await call(relay, 'GET', PUSH, as(phone));
  const offer = body as unknown as { kinds: string[]; vapidKey: string };
  expect(offer.kinds).toEqual(['web-push']);
  expect(await register(phone, at('phone'))).toBe('registered');
  expect(await register(desk, at('desk'))).toBe('registered');
  const open = await greet(relay, as(desk).token);
  const before = service.seen.length;
  for (let i = 0; i < 5; i += 1) await write();
  expect(await told(before, 1)).toEqual(['phone']);
  const [request] = service.seen.slice(before) as [(typeof service.seen)[0]];
  const publicKey = new Uint8Array(Buffer.from(offer.vapidKey, 'base64url'));
  checkVapid(request, { publicKey, origin: service.origin, nowMs: world.clock.now() });
  const { authorization: _signed, ...headers } = request.headers;
  expect([request.method, request.body]).toEqual(['POST', '']);
  expect(Object.keys(headers).toSorted()).toEqual([
    'connection',
    'content-length',
    'host',
    'topic',
    'ttl',
    'urgency',
  ]);
  const seen = JSON.stringify(relay.events);
  for (const hidden of [phone.id, world.org, at('phone'), service.origin]) expect(seen).not.toContain(hidden);
  expect(relay.events).toContainEqual({
    event: 'push',
    org: world.org.slice(0, 8),
    kind: 'web-push',
    outcome: 'told',
  });
  const metrics = await relay.metrics();
  expect(metrics).toContain('\nkeytide_relay_pushes_total{kind="web-push",outcome="told"} 1\n');
  for (const hidden of [world.org.slice(0, 8), phone.id.slice(0, 8)]) expect(metrics).not.toContain(hidden);
  // The other one goes away without a word, with what was on its way to it.
  open.socket.terminate();
  await open.ended;
  await sleep(100);
  expect(await told(service.seen.length, 1)).toEqual(['desk']);
  await forget(phone);
  await forget(desk);
});

test('tells of mail its recipient alone, and of a new epoch alone nobody', async () => {
  await register(phone, at('phone'));
  await register(tablet, at('tablet'));
  let before = service.seen.length;
  const message = { id: toBase64Url(world.random(16)), message: toBase64Url(world.random(99)) };
  const sent = await call(relay, 'POST', `/organisations/${world.org}/mail`, {
    ...as(author),
    body: { recipient: tablet.id, ...message },
  });
  expect(sent.status).toBe(201);
  expect(await told(before, 1)).toEqual(['tablet']);
  world.clock.advance(61_000);
  before = service.seen.length;
  requests += 1;
  line.send(await announceOf(world, author, requests, { epoch: 1, hash: statement }));
  await line.next('appended');
  expect(await told(before, 0)).toEqual([]);
  await forget(phone);
  await forget(tablet);
});

test('a receiver that is gone is forgotten, and one that was taken back is told nothing', async () => {
  await register(phone, at('phone'));
  await register(tablet, at('tablet'));
  service.reply = ({ path }) => ({ status: path === '/phone' ? 410 : 201 });
  let before = service.seen.length;
  await write();
  expect((await told(before, 2)).toSorted()).toEqual(['phone', 'tablet']);
  service.reply = () => ({ status: 201 });
  world.clock.advance(61_000);
  before = service.seen.length;
  await write();
  expect(await told(before, 1)).toEqual(['tablet']);
  expect((await forget(tablet)).status).toBe(200);
  world.clock.advance(61_000);
  before = service.seen.length;
  await write();
  expect(await told(before, 0)).toEqual([]);
});

test('what a device has registered, another takes over with the same token, and nobody reads', async () => {
  expect(await register(phone, at('same'))).toBe('registered');
  expect(await register(tablet, at('same'))).toBe('registered');
  const before = service.seen.length;
  await write();
  expect(await told(before, 1)).toEqual(['same']);
  const { body } = await call(relay, 'GET', PUSH, as(tablet));
  expect(JSON.stringify(body)).not.toContain('same');
  await forget(tablet);
});

test('goes only where push may go', async () => {
  for (const target of [
    'http://push.example/one',
    'https://127.0.0.1/one',
    'https://[::ffff:7f00:1]/one',
    'https://169.254.169.254/latest/meta-data',
    relay.url,
    'https://push.example:8443/one',
  ])
    expect([target, await register(phone, target)]).toEqual([target, 'push-refused target']);
  expect(await register(phone, 'token', 'webhook')).toBe('push-refused kind');
  expect(await register(phone, 'token', 'pigeon')).toBe('malformed');
  expect(await register(phone, `${at('x')}${'x'.repeat(1024)}`)).toBe('malformed');
  expect(await register(phone, `${at('x')}\r\nx: y`)).toBe('malformed');
  // A name that leads inside is found out when it is looked up.
  expect(await register(phone, 'https://localhost/one')).toBe('registered');
  await write();
  world.clock.advance(GRACE);
  const blocked = { event: 'push', org: world.org.slice(0, 8), kind: 'web-push', outcome: 'push-blocked' };
  await expect.poll(() => relay.events, { timeout: 10_000 }).toContainEqual(blocked);
  await forget(phone);
});

test('a device that has to destroy what it holds is told so, and nothing after that', async () => {
  await register(lost, at('lost'));
  await register(tablet, at('tablet'));
  let before = service.seen.length;
  const wipe = createWipe({ ...world.as(author), target: { of: 'device', device: lost.id } });
  expect((await appendLog(relay, world.org, as(author).token, wipe)).status).toBe(201);
  // At once: it waits for no grace.
  await service.until(before + 1);
  expect(service.seen.slice(before).map(({ path }) => path)).toEqual(['/lost']);
  world.append(wipe);
  const revoke = createRevokeDevice({ ...world.as(author), device: tablet.id });
  expect((await appendLog(relay, world.org, as(author).token, revoke)).status).toBe(201);
  await service.until(before + 2);
  await sleep(100);
  before = service.seen.length;
  world.clock.advance(61_000);
  await write();
  expect(await told(before, 0)).toEqual([]);
  expect(await register(tablet, at('tablet'))).toBe('session-ended');
});
