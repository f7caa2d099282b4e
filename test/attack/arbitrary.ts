import { encodeCbor, type CborValue } from '@keytide/crypto-core';
import fc from 'fast-check';
import { pathOf, type Operation, type Schema } from './operations.ts';
import type { Asked } from './ask.ts';

/** JSON that fits a schema, or nearly. */
function jsonFor(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 12, arbitrary: fitting(schema) }, { weight: 1, arbitrary: anything });
}

const anything = fc.oneof(
  fc.json().map((text) => JSON.parse(text) as unknown),
  fc.constantFrom<unknown>(
    null,
    true,
    -1,
    1e308,
    2 ** 53,
    '',
    '\0',
    '../..',
    'A'.repeat(5_000),
    [],
    {},
    '\ud800',
  ),
);

function fitting(schema: Schema): fc.Arbitrary<unknown> {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map(jsonFor));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'object':
      return objectFor(schema);
    case 'array': {
      const size = { minLength: schema.minItems ?? 0, maxLength: Math.min(schema.maxItems ?? 3, 3) };
      return fc.array(jsonFor(schema.items ?? {}), size);
    }
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -1, max: Math.min(schema.maximum ?? 9, 2 ** 53 - 1) });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'string':
      return textFor(schema);
    default:
      return anything;
  }
}

function objectFor({ properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, inner]) => [name, jsonFor(inner)]),
  );
  const fits = fc.record(fields, { requiredKeys: [...required] });
  const odd = fc.tuple(fits, fc.constantFrom('role', 'org', '__proto__', 'constructor', 'id'), anything);
  return fc.oneof(
    { weight: 12, arbitrary: fits },
    { weight: 1, arbitrary: odd.map(([object, name, value]) => ({ ...object, [name]: value })) },
  );
}

function textFor({ pattern, contentEncoding, minLength = 0, maxLength = 300 }: Schema): fc.Arbitrary<string> {
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  if (contentEncoding === undefined) return fc.string({ minLength, maxLength: Math.min(maxLength, 300) });
  const sizeBytes = Math.floor((minLength * 3) / 4);
  const bytes = fc.uint8Array({
    minLength: sizeBytes,
    maxLength: Math.max(sizeBytes, Math.min(maxLength, 120)),
  });
  // What is inside most bytes of this protocol is CBOR.
  return fc.oneof(bytes, cbor.map(encodeCbor)).map((each) => Buffer.from(each).toString('base64url'));
}

/** CBOR of small values, nested a little. */
export const cbor: fc.Arbitrary<CborValue> = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.integer({ min: -9, max: 2 ** 40 }),
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(16, 32, 64).chain((size) => fc.uint8Array({ minLength: size, maxLength: size })),
    fc.string({ maxLength: 20 }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 7 }),
  ),
})).value;

/** A request to this operation: its path, query and body as they are described, or nearly. */
export function requestTo(operation: Operation, org: string): fc.Arbitrary<Asked> {
  const { method, parameters, body, takesBytes } = operation;
  const queries = parameters.filter((each) => each.in === 'query');
  const values = Object.fromEntries(queries.map(({ name, schema }) => [name, jsonFor(schema)]));
  const requiredKeys = queries.flatMap(({ name, required }) => (required ? [name] : []));
  const parts = parameters.filter((each) => each.in === 'path' && each.name !== 'org');
  const places = Object.fromEntries(parts.map(({ name, schema }) => [name, jsonFor(schema)]));
  const content = takesBytes
    ? fc.uint8Array({ maxLength: 400 })
    : jsonFor(body ?? {}).map((value) => JSON.stringify(value));
  return fc
    .record({
      query: fc.record(values, { requiredKeys }),
      place: fc.record(places),
      usual: fc.boolean(),
      content,
    })
    .map(({ query, place, usual, content: sent }) => {
      const path = usual ? pathOf(operation, org) : filled(operation.path, { org, ...place });
      const pairs = Object.entries(query).map(([name, value]) => `${name}=${encoded(value)}`);
      const asked = { method, path: pairs.length === 0 ? path : `${path}?${pairs.join('&')}` };
      return body === null && !takesBytes ? asked : { ...asked, body: sent };
    });
}

function filled(path: string, places: Readonly<Record<string, unknown>>): string {
  return path.replaceAll(/\{([a-z]+)\}/gi, (_found, name: string) => encoded(places[name]));
}

/** A half of a character pair has no encoding: it becomes the sign for what is none. */
function encoded(value: unknown): string {
  return encodeURIComponent(Buffer.from(String(value).slice(0, 200)).toString());
}
