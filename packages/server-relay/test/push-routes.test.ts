import { deviceId, orgId } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { createRoutes } from '../src/create-routes.ts';
import type { Gate } from '../src/gate.ts';
import { createHttpServer } from '../src/http-server.ts';
import { createMetrics } from '../src/metrics.ts';
import { addPushRoutes } from '../src/push/routes.ts';
import { createPushSenders } from '../src/push/senders.ts';

const org = orgId('0a'.repeat(32));
const id = new Uint8Array(32);
const device = { id: deviceId('de'.repeat(32)) };

test('a device that loses its place while it registers leaves nothing behind', async () => {
  const done: string[] = [];
  const clock = { now: () => 0 };
  const app = createHttpServer({
    log: () => undefined,
    metrics: createMetrics(clock, '0'),
    tls: null,
    trustedProxies: 0,
    limits: { requestMs: 1_000 },
  });
  let isLive = false;
  const subject = { kind: 'device', id: device.id };
  const gate = { session: async () => ({ org, id, subject }), deviceOf: async () => ({ org, device }) };
  const webhook = { url: 'https://hook.example/', secret: new Uint8Array(32) };
  const routes = createRoutes(app, {
    bodiesBytes: { ofAll: 0, ofOrganisation: 0 },
    gate: gate as unknown as Gate,
    admitStranger: () => undefined,
    callerRates: { admitAddress: () => undefined, admitCall: () => undefined },
    undeclared: (what) => void done.push(what),
  });
  addPushRoutes(routes, {
    senders: createPushSenders({ webhook }, clock, 100),
    gate: gate as unknown as Gate,
    sessions: {
      readLiveSessions: async (_org, ids) => ({ generation: 1, ids: isLive ? ids : [] }),
    },
    registrations: {
      put: async () => void done.push('put'),
      clear: async () => void done.push('clear'),
    },
    registered: () => void done.push('registered'),
  });
  const put = (): Promise<{ statusCode: number }> =>
    app.inject({
      method: 'PUT',
      url: `/v1/organisations/${org}/push`,
      payload: { kind: 'webhook', target: 'a' },
    });
  expect([(await put()).statusCode, done]).toEqual([401, ['put', 'clear']]);
  isLive = true;
  expect([(await put()).statusCode, done.slice(2)]).toEqual([200, ['put', 'registered']]);
  await app.close();
});
