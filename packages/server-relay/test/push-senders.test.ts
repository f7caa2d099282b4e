import { createECDH } from 'node:crypto';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  checkVapid,
  checkWebhook,
  fakeClock,
  pushSenderConformance,
  seededRandom,
  startPushService,
  type PushService,
} from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { expoSender } from '../src/push/expo.ts';
import { createPushHttp } from '../src/push/push-http.ts';
import { isPublicAddress } from '../src/push/public-address.ts';
import { createVapid } from '../src/push/vapid.ts';
import { webPushSender } from '../src/push/web-push.ts';
import { webhookSender } from '../src/push/webhook.ts';

const random = seededRandom('push senders');
const clock = fakeClock(Date.UTC(2030, 0, 1));
const timeoutMs = 400;
const key = primitives.sha256(random(32));
const secret = random(32);
const subject = 'mailto:operator@example.org';
const httpTo = (...allow: string[]) => createPushHttp({ allow, timeoutMs, clock });
const runner = { describe, it };

pushSenderConformance(
  'Web Push',
  ({ origin }) => {
    const vapid = createVapid({ key, subject, clock });
    return {
      sender: webPushSender(httpTo(origin), vapid),
      timeoutMs,
      target: `${origin}/push/some-device`,
      refused: [
        'http://push.example/one',
        'https://push.example:8443/one',
        'https://127.0.0.1/one',
        'https://0x7f000001/one',
        'https://[::1]/one',
        'https://user@push.example/one',
        'https://push.example/one#two',
        'file:///etc/passwd',
        'push.example',
      ],
      good: { status: 201, headers: { location: 'https://push.example/message/1' } },
      gone: [{ status: 404 }, { status: 410 }],
      check(request) {
        checkVapid(request, { publicKey: vapid.publicKey, origin, nowMs: clock.now() });
        const { method, path, body, headers } = request;
        expect({ method, path, body }).toEqual({ method: 'POST', path: '/push/some-device', body: '' });
        expect(headers).toMatchObject({ 'content-length': '0', ttl: '2419200', topic: 'keytide' });
        expect(headers['content-encoding']).toBeUndefined();
      },
    };
  },
  runner,
);

pushSenderConformance(
  'Expo',
  ({ origin }) => ({
    sender: expoSender(httpTo(origin), { origin, accessToken: 'account-token' }),
    timeoutMs,
    target: 'ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]',
    refused: ['ExponentPushToken[]', 'xxxxxxxxxxxxxxxxxxxxxx', 'ExponentPushToken[a]\nb', `${origin}/push`],
    good: { status: 200, body: JSON.stringify({ data: { status: 'ok', id: 'ticket-1' } }) },
    gone: [{ status: 200, body: JSON.stringify({ data: deviceNotRegistered() }) }],
    check({ path, headers, body }) {
      expect(path).toBe('/--/api/v2/push/send');
      expect(headers.authorization).toBe('Bearer account-token');
      const to = 'ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]';
      expect(JSON.parse(body)).toEqual({ to, priority: 'high', _contentAvailable: true });
    },
  }),
  runner,
);

pushSenderConformance(
  'webhook',
  ({ origin }) => ({
    sender: webhookSender(httpTo(origin), clock, { url: `${origin}/hook`, secret }),
    timeoutMs,
    target: 'device-42',
    refused: ['', 'two words', 'x'.repeat(513), 'line\nbreak'],
    good: { status: 204 },
    gone: [{ status: 410 }],
    check(request) {
      checkWebhook(request, { secret, nowMs: clock.now() });
      expect(request.path).toBe('/hook');
      expect(JSON.parse(request.body)).toEqual({ id: 'ab'.repeat(16), token: 'device-42' });
    },
  }),
  runner,
);

function deviceNotRegistered(): unknown {
  return { status: 'error', message: 'no such device', details: { error: 'DeviceNotRegistered' } };
}

let service: PushService;
beforeAll(async () => {
  service = await startPushService();
});
afterAll(() => service.close());
const { signal } = new AbortController();

test('what names a receiver that is gone is also the receipt of the message before', async () => {
  const sender = expoSender(httpTo(service.origin), { origin: service.origin });
  const target = 'ExpoPushToken[abc]';
  const receipt = (data: unknown) => ({ status: 200, body: JSON.stringify({ data }) });
  service.reply = ({ path }) =>
    path.endsWith('getReceipts')
      ? receipt({ 'ticket-7': deviceNotRegistered() })
      : receipt({ status: 'ok', id: 'ticket-8' });
  const send = (ticket: string) => sender.send({ target, id: '', ticket, signal });
  expect(await send('ticket-7')).toEqual({ kind: 'gone' });
  expect(service.seen.map(({ body }) => JSON.parse(body) as unknown)).toEqual([{ ids: ['ticket-7'] }]);
  expect(await send('ticket-6')).toEqual({ kind: 'told', ticket: 'ticket-8' });
  for (const error of ['MessageRateExceeded', 'InvalidCredentials']) {
    service.reply = () => receipt({ status: 'error', details: { error } });
    const code = error === 'MessageRateExceeded' ? 'push-busy' : 'push-refused';
    expect(await send('ticket-6')).toEqual({ kind: 'later', code, afterMs: 0 });
  }
  for (const body of ['', '{}', 'null', '{"data":[]}', '{"data":{"status":"ok"}}', '{"errors":[{}]}']) {
    service.reply = () => ({ status: 200, body });
    expect(await send('ticket-6')).toEqual({ kind: 'later', code: 'push-refused', afterMs: 0 });
  }
});

test('a webhook whose path is not there costs no registration', async () => {
  service.reply = () => ({ status: 404 });
  const sender = webhookSender(httpTo(service.origin), clock, { url: service.origin, secret });
  expect(await sender.send({ target: 'a', id: '', ticket: null, signal })).toMatchObject({ kind: 'later' });
});

test('a VAPID token is used for half its life, never longer, and for one service only', () => {
  const vapid = createVapid({ key, subject, clock });
  const first = vapid.authorization('https://one.example');
  clock.advance(21_000_000);
  expect(vapid.authorization('https://one.example')).toBe(first);
  expect(vapid.authorization('https://two.example')).not.toBe(first);
  clock.advance(1_000_000);
  const seen = { method: '', path: '', body: '' };
  const origin = 'https://one.example';
  const check = (authorization: string) =>
    checkVapid(
      { ...seen, headers: { authorization } },
      { publicKey: vapid.publicKey, origin, nowMs: clock.now() },
    );
  expect(vapid.authorization(origin)).not.toBe(first);
  check(vapid.authorization(origin));
  expect(() => check(vapid.authorization('https://two.example'))).toThrow(/another service/);
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(key);
  expect(vapid.publicKey).toEqual(new Uint8Array(pair.getPublicKey()));
});

test('what cannot work is refused at the start', () => {
  const http = httpTo();
  expect(() => createVapid({ key: key.subarray(1), subject, clock })).toThrow(TypeError);
  expect(() => createVapid({ key: new Uint8Array(32), subject, clock })).toThrow(TypeError);
  expect(() => createVapid({ key, subject: 'operator', clock })).toThrow(TypeError);
  expect(() => webhookSender(http, clock, { url: service.origin, secret })).toThrow(TypeError);
  expect(() => webhookSender(http, clock, { url: 'https://hook.example', secret: random(31) })).toThrow(
    TypeError,
  );
  expect(() => expoSender(http, { origin: service.origin })).toThrow(TypeError);
  expect(() => httpTo('push.example')).toThrow(TypeError);
  expect(() => httpTo(`${service.origin}/path`)).toThrow(TypeError);
});

describe('where devices send a relay', () => {
  const post = (url: string, addresses: readonly string[]) => {
    const asked: string[] = [];
    const lookup = ((name: string, _options: unknown, done: (...args: unknown[]) => void) => {
      asked.push(name);
      const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
      done(null, found);
    }) as never;
    const http = createPushHttp({ allow: [], timeoutMs, clock, lookup });
    return { asked, answer: http.post(url, { headers: {}, body: null, signal }) };
  };

  test('is never an address inside, whatever name it has', async () => {
    const inside = ['127.0.0.1', '10.1.2.3', '169.254.169.254', '::1', '::ffff:127.0.0.1', 'fd00::1'];
    for (const address of inside) {
      const { asked, answer } = post('https://push.example/one', [address]);
      expect([address, await answer]).toEqual([address, 'push-blocked']);
      expect(asked).toEqual(['push.example']);
    }
    // One public address does not vouch for another.
    expect(await post('https://push.example/one', ['9.9.9.9', '192.168.0.1']).answer).toBe('push-blocked');
    expect(await post('https://push.example/one', []).answer).toBe('push-blocked');
    for (const url of ['http://push.example/', 'https://127.0.0.1/', 'https://push.example:22/']) {
      const { asked, answer } = post(url, ['9.9.9.9']);
      expect([url, await answer, asked]).toEqual([url, 'push-blocked', []]);
    }
  });

  test.each([
    ['9.9.9.9', true],
    ['172.15.255.255', true],
    ['172.32.0.1', true],
    ['2620:fe::fe', true],
    ['2001:4860:4860::8888', true],
    ['0.0.0.0', false],
    ['10.0.0.1', false],
    ['100.64.0.1', false],
    ['127.8.8.8', false],
    ['169.254.169.254', false],
    ['172.16.0.1', false],
    ['172.31.255.255', false],
    ['192.168.1.1', false],
    ['198.18.0.1', false],
    ['203.0.113.9', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['::', false],
    ['::1', false],
    ['::ffff:10.0.0.1', false],
    ['::ffff:9.9.9.9', false],
    ['64:ff9b::7f00:1', false],
    ['fe80::1', false],
    ['fc00::1', false],
    ['ff02::1', false],
    ['2001::1', false],
    ['2001:db8::1', false],
    ['2002:7f00:1::', false],
    ['localhost', false],
    ['', false],
  ])('%s is public: %s', (address, expected) => {
    expect(isPublicAddress(address)).toBe(expected);
  });
});
