import { healthResponse } from '@keytide/relay-protocol';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createRoutes } from '../src/create-routes.ts';
import { RelayError } from '../src/errors.ts';
import type { Gate } from '../src/gate.ts';
import { plainText, type Route } from '../src/route.ts';

const nobody = (): never => {
  throw new RelayError('session-ended', 'nobody has a session');
};
const gate: Gate = {
  session: nobody,
  subject: nobody,
  device: nobody,
  deviceOf: nobody,
  admin: nobody,
  exporter: nobody,
  wiped: nobody,
};
const route = { method: 'get', path: '/x', who: 'anyone', summary: 'x', answer: z.object({}) } as const;
let app: FastifyInstance;
afterEach(() => app.close());

function routesUnderTest(): { add(route: Route, handle: () => unknown): void; told: string[] } {
  app = Fastify();
  const told: string[] = [];
  const undeclared = (what: string): void => void told.push(what);
  const callerRates = { admitAddress() {}, admitCall() {} };
  const routes = createRoutes(app, {
    gate,
    admitStranger() {},
    callerRates,
    bodiesBytes: { ofAll: 0, ofOrganisation: 0 },
    undeclared,
  });
  return { add: routes.add, told };
}

test('Fastify takes no route that is not declared', () => {
  const { add } = routesUnderTest();
  expect(() => app.get('/y', () => ({}))).toThrow('/y');
  expect(() => app.route({ method: 'POST', url: '/z', config: {}, handler: () => ({}) })).toThrow('/z');
  add(route, () => ({}));
});

test('an answer that is not as its route declares is told of', async () => {
  const { add, told } = routesUnderTest();
  const key = 'A'.repeat(43);
  add({ ...route, answer: healthResponse }, () => ({ status: 'ok', version: '1', name: 'x', key }));
  add({ ...route, path: '/short', answer: healthResponse }, () => ({ status: 'ok', key: `${key}A` }));
  add({ ...route, path: '/text', answer: plainText }, () => 'text');
  for (const url of ['/x', '/short', '/text']) await app.inject(url);
  expect(told).toEqual(['GET /short: answer', 'GET /text: answer']);
});

test('a refusal that its route does not declare is told of; what follows from who may call is declared', async () => {
  const { add, told } = routesUnderTest();
  const refuse = (): never => {
    throw new RelayError('no-box', 'none');
  };
  add(route, refuse);
  add({ ...route, path: '/declared', refusals: ['no-box'] }, refuse);
  add({ ...route, path: '/session', who: 'admin' }, refuse);
  for (const url of ['/x', '/declared', '/session']) await app.inject(url);
  expect(told).toEqual(['GET /x: no-box']);
});
