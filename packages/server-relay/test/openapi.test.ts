import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startManagement } from '../src/operate/management.ts';
import { call, relayUnderTest, type RelayUnderTest } from './relay-under-test.ts';

/** As much of the description as these tests look at. */
interface Described {
  readonly paths: Record<string, Record<string, Operation>>;
}
interface Operation {
  readonly summary: string;
  readonly 'x-keytide-caller': string;
  readonly responses: Record<string, { readonly 'x-keytide-codes'?: readonly string[] }>;
}

let relay: RelayUnderTest;
let described: Described;
beforeAll(async () => {
  relay = await relayUnderTest({});
  const { status, body } = await call(relay, 'GET', '/openapi.json');
  expect(status).toBe(200);
  described = body as unknown as Described;
});
afterAll(() => relay.close());

/** What the page on the HTTP API says, a row for each route. */
function rows(): string[] {
  const paths = Object.entries(described.paths).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return paths.flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, operation]) => {
      if (method === 'servers') return [];
      const codes = Object.values(operation.responses).flatMap((each) => each['x-keytide-codes'] ?? []);
      const own = codes.filter(
        (code) => !['malformed', 'too-large', 'unavailable', 'rate-limited'].includes(code),
      );
      const who = operation['x-keytide-caller'];
      return [`| \`${method.toUpperCase()} ${path}\` | ${who} | ${operation.summary} | ${own.join(', ')} |`];
    }),
  );
}

test('the description is OpenAPI, as others read it', async () => {
  const result = await new Validator().validate({ ...structuredClone(described) });
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
});

test('every base64url text says of how many bytes it is, and every part of a path what it is', () => {
  const text = JSON.stringify(described);
  const encoded = text.match(/"contentEncoding":"base64url"/g) ?? [];
  expect(encoded.length).toBeGreaterThan(25);
  expect(text.match(/"contentEncoding":"base64url","description":"(at most )?\d+ bytes as/g)).toHaveLength(
    encoded.length,
  );
  expect(text).not.toContain('"required":true}');
});

test('the page on the HTTP API has a row for every route, and no other', async () => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/http-api.md'), 'utf8');
  expect(page.match(/^\| `[A-Z]+ .*$/gm)).toEqual(rows());
});

test('the pages of the management port are those that it has', async () => {
  const management = await startManagement('127.0.0.1', 0, {
    isStarted: () => true,
    isReady: async () => true,
    metrics: async () => '',
  });
  try {
    const pages = Object.entries(described.paths).filter(([, item]) => 'servers' in item);
    expect(pages.length).toBe(4);
    for (const [path] of pages) expect((await fetch(`${management.url}${path}`)).status, path).toBe(200);
    expect((await fetch(`${management.url}/constructor`)).status).toBe(404);
  } finally {
    await management.close();
  }
});
