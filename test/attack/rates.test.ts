import { createWipe } from '@keytide/key-directory';
import { encodeClientFrame } from '@keytide/relay-protocol';
import { seededWorld, type SeededDevice, type SeededMember } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  appendLog,
  call,
  relayUnderTest,
  settle,
  tokenOf,
  type RelayUnderTest,
} from '../../packages/server-relay/test/relay-under-test.ts';
import { announceOf, appendOf } from '../../packages/server-relay/test/group.ts';
import { greet } from '../../packages/server-relay/test/line.ts';
import { ask } from './ask.ts';

const OF_AN_ADDRESS = 5;
const OF_AN_ORGANISATION = 400;
/** As docs/spec/sessions.md has them. */
const OF_A_DEVICE = OF_AN_ORGANISATION / 8;
const OF_A_MEMBER = OF_AN_ORGANISATION / 4;
/** Until all allowances are whole again. */
const REFILL_MS = 60_000;
const world = seededWorld({ seed: 'rates', members: 6, devicesPerMember: 3 });
const elsewhere = seededWorld({ seed: 'rates elsewhere', members: 1 });
const [admin, member] = world.members as [SeededMember, SeededMember];
let relay: RelayUnderTest;
let token: string;
let other: string;

beforeAll(async () => {
  const limits = {
    addressBurst: OF_AN_ADDRESS,
    addressPerSecond: 1,
    organisationBurst: OF_AN_ORGANISATION,
    organisationPerSecond: 8,
  };
  // The world's clock stands still: what is used up stays so.
  relay = await relayUnderTest({ clock: world.clock, limits, trustedProxies: 1 });
  await settle(relay, world);
  world.clock.advance(REFILL_MS);
  token = await tokenOf(relay, world.org, member.devices[0]);
  other = await settle(relay, elsewhere);
});
afterAll(() => relay.close());

const health = (from: string) =>
  ask(relay.url, { method: 'GET', path: '/v1/health', headers: { 'x-forwarded-for': from } });

describe('API4: Unrestricted resource consumption', () => {
  test('one address calls so often and no more, whatever it says of itself; others go on', async () => {
    const flood = [];
    for (let at = 0; at < OF_AN_ADDRESS + 2; at += 1)
      flood.push((await health(`198.51.100.${at}, 203.0.113.7`)).status);
    expect(flood).toEqual([...Array.from({ length: OF_AN_ADDRESS }, () => 200), 429, 429]);
    expect((await health('203.0.113.8')).status).toBe(200);
    const refresh = { method: 'POST', path: `/v1/organisations/${world.org}/sessions/refresh` };
    const headers = { 'x-forwarded-for': '203.0.113.7' };
    expect(await ask(relay.url, { ...refresh, headers, body: '{}' })).toMatchObject({ code: 'rate-limited' });
  });

  test('a device, a member and an organisation call so often and no more; who has no session uses up nothing of it', async () => {
    const path = `/v1/organisations/${world.org}/mail?after=0`;
    for (let at = 0; at < OF_AN_ORGANISATION; at += 1)
      expect(await ask(relay.url, { method: 'GET', path, token: 'AAAA' })).toMatchObject({ status: 401 });
    /** How many of so many calls this device is granted. */
    const granted = async (device: SeededDevice): Promise<number> => {
      const caller = await tokenOf(relay, world.org, device);
      const codes = [];
      for (let at = 0; at <= OF_A_DEVICE; at += 1)
        codes.push((await ask(relay.url, { method: 'GET', path, token: caller })).code);
      expect(codes.at(-1)).toBe('rate-limited');
      return codes.filter((code) => code === null).length;
    };
    for (const { devices } of world.members.slice(1, 5)) {
      const grants = [];
      for (const device of devices) grants.push(await granted(device));
      expect(grants).toEqual([OF_A_DEVICE, OF_A_MEMBER - OF_A_DEVICE, 0]);
    }
    expect(await granted(admin.devices[0])).toBe(0);
    const away = `/v1/organisations/${elsewhere.org}/mail?after=0`;
    expect(await ask(relay.url, { method: 'GET', path: away, token: other })).toMatchObject({ status: 200 });
  });

  test('what is too much over a socket is refused, and read more slowly: the socket stays, nothing is lost or out of order', async () => {
    world.clock.advance(REFILL_MS);
    const line = await greet(relay, token);
    line.send(await announceOf(world, member.devices[0], 1));
    await line.next('appended');
    const appends = Array.from({ length: OF_A_DEVICE + 1 }, (_, at) => appendOf(world, at + 2));
    for (const append of appends) line.send(append);
    line.send({ type: 'ping', nonce: 1 });
    line.send({ type: 'subscribe', group: world.state.everyone, afterSeq: 0 });
    await line.next('caught-up');
    await line.next('pong');
    const answers = () => line.frames.filter(({ type }) => type === 'appended' || type === 'refused');
    expect(answers().length).toBe(1 + appends.length);
    const tooMuch = appends.at(-2) as (typeof appends)[number];
    // The announcement was a frame as well, and what came after the refusal has waited for its turn.
    expect(line.frames.filter((frame) => frame.type === 'refused')).toEqual([
      { type: 'refused', requestId: tooMuch.requestId, code: 'rate-limited' },
    ]);
    world.clock.advance(REFILL_MS);
    line.send(tooMuch);
    const seqs = [appends.length + 1];
    await expect
      .poll(() => answers().at(-1))
      .toEqual({ type: 'appended', requestId: tooMuch.requestId, seqs });
    expect(await relay.metrics()).toMatch(/refus\w*\{code="rate-limited"\} \d/u);
    line.socket.close();
    await line.ended;
  });

  test('who floods over sockets is read as slowly as its share comes back; the others and the order against it go through', async () => {
    world.clock.advance(REFILL_MS);
    const flooders = await Promise.all([greet(relay, token), greet(relay, token)]);
    const frames = Array.from({ length: 1_000 }, (_, at) => encodeClientFrame(appendOf(world, at, 1, 64)));
    for (const frame of frames) for (const line of flooders) line.sendBytes(frame);
    const served = () =>
      flooders.flatMap((line) => line.frames).filter(({ type }) => type !== 'welcome').length;
    await expect.poll(served).toBeGreaterThan(OF_A_DEVICE);
    // Time stands still, so nothing comes back; what each socket waits for is served when it was waited for.
    const calm = await greet(relay, await tokenOf(relay, world.org, admin.devices[0]));
    calm.send(appendOf(world, 1));
    await calm.next('appended');
    const own = await tokenOf(relay, world.org, member.devices[1] as SeededDevice);
    const logs = [
      { org: world.org, by: own },
      { org: elsewhere.org, by: other },
    ];
    for (const { org, by } of logs)
      expect((await call(relay, 'GET', `/organisations/${org}/log?from=0`, { token: by })).status).toBe(200);
    const target = { of: 'device', device: member.devices[0].id } as const;
    const order = createWipe({ ...world.as(admin.devices[0]), target });
    const orderer = await tokenOf(relay, world.org, admin.devices[0]);
    expect((await appendLog(relay, world.org, orderer, order)).status).toBe(201);
    world.append(order);
    expect(served()).toBeLessThan(OF_A_DEVICE + 40);
    // Cut off at once, however much of it has not been looked at.
    await Promise.all(flooders.map(({ ended }) => ended));
    calm.socket.close();
  });
});
