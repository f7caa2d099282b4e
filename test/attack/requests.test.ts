import { gzipSync } from 'node:zlib';
import { LIMITS } from '@keytide/relay-protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, firstLine } from './ask.ts';
import { openGround, type Ground } from './ground.ts';
import { pathOf, undescribed, type Operation } from './operations.ts';

/** How Node says that a connection ended without an answer. */
const CUT = /socket hang up|ECONNRESET|EPIPE/;
let ground: Ground;
beforeAll(async () => {
  ground = await openGround();
});
afterAll(() => ground.relay.close());

/** Somebody whom the route lets in. */
function tokenFor({ caller }: Operation): string | undefined {
  if (caller === 'anyone' || caller === 'stranger') return undefined;
  return ground.visitors[caller === 'wiped' ? 'wiped' : 'admin'];
}

const malformed = expect.objectContaining({ status: 400, code: 'malformed' });
const withBody = (): Operation[] => ground.operations.filter(({ body }) => body !== null);
const alive = async () =>
  expect(await ask(ground.relay.url, { method: 'GET', path: '/v1/health' })).toMatchObject({ status: 200 });

describe('API3: Broken object property level authorization', () => {
  test('no body and no query takes a field that is not described', async () => {
    const { relay, world, visitors } = ground;
    for (const { name, body } of withBody())
      for (const schema of body?.oneOf ?? [body]) expect(schema?.additionalProperties, name).toBe(false);
    const put = (field: object) =>
      ask(relay.url, {
        method: 'PUT',
        path: `/v1/organisations/${world.org}/data/members/notes/a`,
        token: visitors.member,
        body: JSON.stringify({ body: 'oA', ...field }),
      });
    expect(await put({})).toMatchObject({ status: 200 });
    for (const field of [
      { role: 'admin' },
      { version: 9 },
      { org: 'x' },
      { writers: 'admins' },
      { constructor: 1 },
    ])
      expect(await put(field), JSON.stringify(field)).toEqual(malformed);
    for (const operation of ground.operations) {
      if (!operation.parameters.some((each) => each.in === 'query')) continue;
      const path = `${pathOf(operation, world.org)}?after=0&from=0&size=1&offset=0&sizeBytes=1&device=x`;
      const told = await ask(relay.url, { method: operation.method, path, token: tokenFor(operation) });
      expect(told, operation.name).toEqual(malformed);
    }
  });

  test('a body that would change prototypes is refused on every route', async () => {
    const { relay, world } = ground;
    for (const operation of withBody()) {
      for (const body of ['{"__proto__":{"isAdmin":true}}', '{"constructor":{"prototype":{"x":1}}}']) {
        const path = pathOf(operation, world.org);
        const told = await ask(relay.url, {
          method: operation.method,
          path,
          token: tokenFor(operation),
          body,
        });
        expect(told, operation.name).toEqual(malformed);
      }
    }
  });

  test('no answer has a field that is not described', async () => {
    const { relay, world } = ground;
    let answers = 0;
    for (const operation of ground.operations) {
      if (operation.method !== 'GET' || operation.answer === null) continue;
      const needed = operation.parameters.filter((each) => each.in === 'query' && each.required);
      const query = needed.map(({ name }) => `${name}=0`).join('&');
      const path = `${pathOf(operation, world.org)}?${query}`;
      const told = await ask(relay.url, { method: 'GET', path, token: tokenFor(operation) });
      if (told.status !== 200 || operation.path === '/v1/openapi.json') continue;
      expect(undescribed(operation.answer, JSON.parse(told.text)), operation.name).toEqual([]);
      answers += 1;
    }
    expect(answers).toBeGreaterThan(9);
  });
});

describe('API4: Unrestricted resource consumption', () => {
  test('a body over the limit is refused on every route, whatever it says it is', async () => {
    const { relay, world } = ground;
    const large = `{"entry":"${'A'.repeat(98_304)}"}`;
    for (const operation of withBody()) {
      const path = pathOf(operation, world.org);
      const told = await ask(relay.url, {
        method: operation.method,
        path,
        token: tokenFor(operation),
        body: large,
      });
      expect(told, operation.name).toMatchObject({ status: 413, code: 'too-large' });
    }
    const blob = ground.operations.find(({ takesBytes }) => takesBytes) as Operation;
    const path = `${pathOf(blob, world.org)}?offset=0`;
    const body = new Uint8Array(LIMITS.blobPieceBytes + 1);
    expect(await ask(relay.url, { method: 'PUT', path, body, token: tokenFor(blob) })).toMatchObject({
      status: 413,
    });
  });

  test('nobody else’s megabyte is taken in: a blob without a session is refused before it is read', async () => {
    const { relay, world } = ground;
    const head = `PUT /v1/organisations/${world.org}/blobs/${'ab'.repeat(32)}?offset=0 HTTP/1.1\r\nhost: x\r\n`;
    const type = 'content-type: application/octet-stream\r\ncontent-length: 1000000\r\n';
    expect(await firstLine(relay.url, `${head}${type}\r\n`)).toBe('HTTP/1.1 401 Unauthorized');
  });

  test('a body that is deep, compressed, of another type, or no JSON is refused on every route, and never unpacked', async () => {
    const { relay, world } = ground;
    const bomb = gzipSync(`{"entry":"${'A'.repeat(10_000_000)}"}`);
    const asked = [
      { body: '['.repeat(90_000) },
      { body: `${'{"a":'.repeat(15_000)}1${'}'.repeat(15_000)}` },
      { body: '{"entry":' },
      { body: '' },
      { body: 'null' },
      { body: '\0' },
      {
        body: new Uint8Array(bomb),
        headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      },
      { body: '{}', headers: { 'content-type': 'text/plain' } },
      { body: 'entry=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      { body: '<a/>', headers: { 'content-type': 'application/xml' } },
      { body: '{}', headers: { 'content-type': 'multipart/form-data; boundary=x' } },
    ];
    for (const operation of withBody()) {
      const { method, name } = operation;
      for (const each of asked) {
        const path = pathOf(operation, world.org);
        const told = await ask(relay.url, { method, path, token: tokenFor(operation), ...each });
        expect(told, `${name}: ${String(each.body).slice(0, 9)}`).toEqual(malformed);
      }
    }
    await alive();
  });

  test('headers over 16 KiB, and thousands of them, end the connection and nothing else', async () => {
    const { relay } = ground;
    const long = { 'x-long': 'a'.repeat(20_000) };
    await expect(ask(relay.url, { method: 'GET', path: '/v1/health', headers: long })).rejects.toThrow(CUT);
    const many = Object.fromEntries(Array.from({ length: 3_000 }, (_none, i) => [`x-${i}`, 'a']));
    await expect(ask(relay.url, { method: 'GET', path: '/v1/health', headers: many })).rejects.toThrow(CUT);
    await expect(ask(relay.url, { method: 'GET', path: `/v1/${'a'.repeat(20_000)}` })).rejects.toThrow(CUT);
    await alive();
  });
});

describe('API8: Security misconfiguration', () => {
  test('a method that a path does not have does nothing, by whatever name it comes', async () => {
    const { relay, world, visitors, operations } = ground;
    const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND'];
    for (const { path } of operations) {
      const known = operations.filter((each) => each.path === path);
      const asked = pathOf(known[0] as Operation, world.org);
      for (const method of methods.filter((each) => !known.some((one) => one.method === each))) {
        const told = await ask(relay.url, { method, path: asked, token: visitors.admin });
        expect([told.status, told.code], `${method} ${path}`).toEqual([404, 'not-found']);
      }
    }
    const headers = { 'x-http-method-override': 'DELETE', 'x-method-override': 'PUT' };
    const asGet = { method: 'GET', path: `/v1/organisations/${world.org}/pre-keys`, token: visitors.member };
    expect((await ask(relay.url, { ...asGet, headers })).text).toBe((await ask(relay.url, asGet)).text);
  });

  test('a path has one form: no dots, slashes, codes, zeros, other case or other parameters lead around a check', async () => {
    const { relay, world, visitors } = ground;
    const { org } = world;
    const attempts = `/v1/organisations/${org}/unlock-share/attempts`;
    const token = visitors.member;
    expect(await ask(relay.url, { method: 'GET', path: attempts, token })).toMatchObject({ status: 403 });
    const shown = (path: string) => ask(relay.url, { method: 'GET', path, token });
    for (const path of [
      `/v1/organisations/${org}/mail/../unlock-share/attempts`,
      `/v1/organisations/${org}/mail/%2e%2e/unlock-share/attempts`,
      `/v1/organisations/${org}/mail/..%2funlock-share%2fattempts`,
      `//v1/organisations/${org}/unlock-share/attempts`,
      `/v1//organisations/${org}/unlock-share/attempts`,
      `/v1/./organisations/${org}/unlock-share/attempts`,
      `${attempts}/`,
      `${attempts};x=1`,
      `${attempts}%00`,
      `${attempts}%00.json`,
      `${attempts}.json`,
      attempts.replace('attempts', 'ATTEMPTS'),
      attempts.replace('unlock-share', 'unlock%252dshare'),
      `http://other.example${attempts}`,
      `/v1/organisations/${org.toUpperCase()}/unlock-share/attempts`,
      `/v1/organisations/${org}%20/unlock-share/attempts`,
      `/v1/organisations/${org}0/unlock-share/attempts`,
      '/v1/organisations/%ff/log?from=0',
      '/v1/organisations/../health',
      '/v2/health',
      '/etc/passwd',
    ])
      expect(await shown(path), path).toMatchObject({
        status: expect.toBeOneOf([400, 403, 404]),
        code: expect.toBeOneOf(['malformed', 'not-a-member', 'not-found']),
      });
    // A path that is none gets no answer at all.
    await expect(shown(attempts.replaceAll('/', '\\'))).rejects.toThrow(CUT);
    // The same characters, written otherwise, are the same path and the same check.
    expect(await shown(attempts.replace('unlock', '%75nlock'))).toMatchObject({ status: 403 });
    for (const rest of ['..%2f..%2fmail', '%2e%2e/%2e%2e/mail', 'tile/0/../../../mail', '%00'])
      expect((await shown(`/v1/organisations/${org}/log/tile/${rest}`)).status, rest).toBeGreaterThan(399);
  });

  test('no page of another origin is shown an answer of any route, and no answer names software or trouble', async () => {
    const { relay, world, operations } = ground;
    for (const operation of operations) {
      const { method } = operation;
      const told = await ask(relay.url, {
        method,
        path: pathOf(operation, world.org),
        token: tokenFor(operation),
        headers: { origin: 'https://evil.example' },
      });
      const names = Object.keys(told.headers).filter((name) => /^access-control|powered|^server$/.test(name));
      expect(names, operation.name).toEqual([]);
      if (told.status < 400) continue;
      expect(Object.keys(JSON.parse(told.text)), operation.name).toEqual(['code', 'message']);
      expect(told.text, operation.name).not.toMatch(/\bat \/|node_modules|Error|SELECT|zod/);
    }
  });

  test('a request in two lengths, or with a length and chunks, is no request', async () => {
    const { relay } = ground;
    const start = 'POST /v1/organisations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    for (const lengths of [
      'content-length: 2\r\ncontent-length: 3\r\n',
      'content-length: 2\r\ntransfer-encoding: chunked\r\n',
      'transfer-encoding: chunked, identity\r\n',
      'content-length: -1\r\n',
    ])
      expect(await firstLine(relay.url, `${start}${lengths}\r\n{}`), lengths).toBe('');
    await alive();
  });
});
