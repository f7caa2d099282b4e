import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { defineOrganisation, sensitive, type Collections } from '../src/index.ts';
import { schema } from './record-world.ts';

const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string() })),
  requests: sensitive.record(schema, { edit: { status: ['admin', 'owner'] }, retentionDays: 7 }),
});
type Requests = Collections<typeof definition>['requests'];
type Request = { title: string; status: 'open' | 'done'; note?: string | undefined };

test('bodies and edits have the types of the schema', () => {
  expectTypeOf<Parameters<Requests['create']>[0]>().toEqualTypeOf<Request>();
  expectTypeOf<Parameters<Requests['edit']>[1]>().toEqualTypeOf<Partial<Request>>();
  expectTypeOf<NonNullable<ReturnType<Requests['get']>>['body']>().toEqualTypeOf<Request>();
  expectTypeOf<Parameters<Collections<typeof definition>['chat']['append']>[0]>().toEqualTypeOf<{
    text: string;
  }>();
  expect(definition.requests.rules.edit).toEqual({ status: ['admin', 'owner'] });
});

test('rules name fields, roles and owners that there are; anything else does not compile', () => {
  // @ts-expect-error no such field
  expect(() => sensitive.record(schema, { edit: { state: ['admin'] } })).toThrow(TypeError);
  // @ts-expect-error no such role
  sensitive.record(schema, { create: ['boss'] });
  // @ts-expect-error nobody owns what is not there yet
  sensitive.record(schema, { create: ['owner'] });
  // @ts-expect-error no such role for a field
  sensitive.record(schema, { edit: { title: ['boss'] } });
  // @ts-expect-error no such choice
  sensitive.record(schema, { export: 'print' });
  expect(() => sensitive.record(schema, { retentionDays: 0 })).toThrow(TypeError);
  expect(() => sensitive.log(schema, { retentionDays: Infinity })).toThrow(TypeError);
});
