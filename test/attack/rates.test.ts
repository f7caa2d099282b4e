import { seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  relayUnderTest,
  settle,
  type RelayUnderTest,
} from '../../packages/server-relay/test/relay-under-test.ts';
import { announceOf, appendOf } from '../../packages/server-relay/test/group.ts';
import { greet } from '../../packages/server-relay/test/line.ts';
import { ask } from './ask.ts';

const OF_AN_ADDRESS = 5;
const OF_AN_ORGANISATION = 40;
const world = seededWorld({ seed: 'rates', members: 1 });
let relay: RelayUnderTest;
let token: string;

beforeAll(async () => {
  const limits = {
    addressBurst: OF_AN_ADDRESS,
    addressPerSecond: 1,
    organisationBurst: OF_AN_ORGANISATION,
    organisationPerSecond: 1,
  };
  // The world's clock stands still: what is used up stays so.
  relay = await relayUnderTest({ clock: world.clock, limits, trustedProxies: 1 });
  token = await settle(relay, world);
});
afterAll(() => relay.close());

const health = (from: string) =>
  ask(relay.url, { method: 'GET', path: '/v1/health', headers: { 'x-forwarded-for': from } });

describe('API4: Unrestricted resource consumption', () => {
  test('one address calls so often and no more, whatever it says of itself; others go on', async () => {
    const flood = [];
    for (let call = 0; call < OF_AN_ADDRESS + 2; call += 1)
      flood.push((await health(`198.51.100.${call}, 203.0.113.7`)).status);
    expect(flood).toEqual([...Array.from({ length: OF_AN_ADDRESS }, () => 200), 429, 429]);
    expect((await health('203.0.113.8')).status).toBe(200);
    const refresh = { method: 'POST', path: `/v1/organisations/${world.org}/sessions/refresh` };
    const headers = { 'x-forwarded-for': '203.0.113.7' };
    expect(await ask(relay.url, { ...refresh, headers, body: '{}' })).toMatchObject({ code: 'rate-limited' });
  });

  test('one organisation calls so often and no more; who has no session uses up nothing of it', async () => {
    const path = `/v1/organisations/${world.org}/mail?after=0`;
    for (let call = 0; call < OF_AN_ORGANISATION; call += 1)
      expect(await ask(relay.url, { method: 'GET', path, token: 'AAAA' })).toMatchObject({ status: 401 });
    const codes = [];
    for (let call = 0; call <= OF_AN_ORGANISATION; call += 1)
      codes.push((await ask(relay.url, { method: 'GET', path, token })).code);
    expect(codes[0]).toBe(null);
    expect(codes.at(-1)).toBe('rate-limited');
  });

  test('appends over sockets are calls as well: what is too much is refused, the socket stays, nothing is lost', async () => {
    world.clock.advance(OF_AN_ORGANISATION * 1000);
    const line = await greet(relay, token);
    line.send(await announceOf(world, world.members[0].devices[0], 1));
    await line.next('appended');
    const appends = Array.from({ length: OF_AN_ORGANISATION + 2 }, (_, at) => appendOf(world, at + 2));
    for (const append of appends) line.send(append);
    line.send({ type: 'ping', nonce: 1 });
    await line.next('pong');
    const answers = () => line.frames.filter(({ type }) => type === 'appended' || type === 'refused');
    await expect.poll(() => answers().length).toBe(1 + appends.length);
    const refused = line.frames.filter((frame) => frame.type === 'refused');
    expect(refused).toEqual([
      { type: 'refused', requestId: appends.length, code: 'rate-limited' },
      { type: 'refused', requestId: appends.length + 1, code: 'rate-limited' },
    ]);
    // One allowance for both ways in, whoever of them has used it up.
    const path = `/v1/organisations/${world.org}/mail?after=0`;
    expect(await ask(relay.url, { method: 'GET', path, token })).toMatchObject({ code: 'rate-limited' });
    world.clock.advance(2_000);
    for (const append of appends.slice(-2)) line.send(append);
    await expect.poll(() => answers().length).toBe(3 + appends.length);
    expect(answers().slice(-2)).toEqual([
      { type: 'appended', requestId: appends.length, seqs: [appends.length] },
      { type: 'appended', requestId: appends.length + 1, seqs: [appends.length + 1] },
    ]);
    expect(await relay.metrics()).toMatch(/refus\w*\{code="rate-limited"\} \d/u);
    line.socket.close();
  });
});
