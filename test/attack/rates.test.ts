import { seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  relayUnderTest,
  settle,
  type RelayUnderTest,
} from '../../packages/server-relay/test/relay-under-test.ts';
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
});
