import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { relayUnderTest, type RelayUnderTest } from './relay-under-test.ts';

const PAGE = 'https://app.example';
let relay: RelayUnderTest;
let closed: RelayUnderTest;
beforeAll(async () => {
  relay = await relayUnderTest({ origins: [PAGE, 'http://localhost:5173'] });
  closed = await relayUnderTest({});
});
afterAll(async () => {
  await relay.close();
  await closed.close();
});

async function headersFor(at: RelayUnderTest, origin: string | null, method = 'GET'): Promise<Headers> {
  const headers: Record<string, string> = origin === null ? {} : { origin };
  return (await fetch(`${at.url}/v1/health`, { method, headers })).headers;
}

/** How a socket of a page of this origin fares: 101, or the status that it is refused with. */
async function upgradeFor(at: RelayUnderTest, origin: string | null): Promise<number> {
  const url = `${at.url.replace('http', 'ws')}/v1/socket`;
  const socket = new WebSocket(url, origin === null ? {} : { origin });
  socket.on('error', () => {});
  const opened = once(socket, 'open').then(() => 101);
  const refused = once(socket, 'unexpected-response').then(([, response]) => {
    return (response as { statusCode: number }).statusCode;
  });
  const status = await Promise.race([opened, refused]);
  socket.terminate();
  return status;
}

const OTHERS = [
  'https://app.example.evil.example',
  'http://app.example',
  'https://app.example:8443',
  'https://sub.app.example',
  'null',
];

describe('web pages', () => {
  test('of an allowed origin are shown the answers, and no other', async () => {
    const headers = await headersFor(relay, PAGE);
    expect(headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(headers.get('vary')).toBe('Origin');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
    for (const origin of [...OTHERS, null]) {
      const answer = await headersFor(relay, origin);
      expect(answer.get('access-control-allow-origin'), String(origin)).toBeNull();
      expect(answer.get('vary')).toBe('Origin');
    }
  });

  test('ask before with OPTIONS, and are answered by the same list', async () => {
    const asked = { 'access-control-request-method': 'POST' };
    const preflight = (origin: string): Promise<Response> =>
      fetch(`${relay.url}/v1/organisations/00/log`, { method: 'OPTIONS', headers: { origin, ...asked } });
    const allowed = await preflight(PAGE);
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(allowed.headers.get('access-control-allow-methods')).toContain('POST');
    expect(allowed.headers.get('access-control-allow-headers')).toContain('authorization');
    for (const origin of OTHERS) {
      const refused = await preflight(origin);
      expect(refused.status).toBe(404);
      expect(refused.headers.get('access-control-allow-methods')).toBeNull();
    }
  });

  test('of an allowed origin may open a socket, as may whoever is no page, or names the relay itself', async () => {
    for (const origin of [PAGE, 'http://localhost:5173', null, relay.name])
      expect(await upgradeFor(relay, origin), String(origin)).toBe(101);
    for (const origin of OTHERS) expect(await upgradeFor(relay, origin), origin).toBe(403);
  });

  test('may do nothing at a relay that was told of none', async () => {
    expect((await headersFor(closed, PAGE)).get('access-control-allow-origin')).toBeNull();
    expect([await upgradeFor(closed, PAGE), await upgradeFor(closed, null)]).toEqual([403, 101]);
  });

  test('are listed by their origin, and nothing else is one', async () => {
    for (const origin of ['*', 'https://app.example/', 'https://*.app.example', 'app.example', 'null', ''])
      await expect(relayUnderTest({ origins: [origin] })).rejects.toThrow(TypeError);
  });
});
