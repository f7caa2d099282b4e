import { errorResponse } from '@keytide/relay-protocol';
import { z } from 'zod';
import { hex32 } from './gate.ts';
import { statusOf } from './http-server.ts';
import { MANAGEMENT_PAGES } from './operate/management-pages.ts';
import { hasSession, mediaTypeOf, plainText, rawBytes, refusalsOf, type Route } from './route.ts';

type JsonSchema = Readonly<Record<string, unknown>>;
/** One operation, as OpenAPI has it. */
type Operation = Readonly<Record<string, unknown>>;

/** Describes routes as an OpenAPI 3.1 document (docs/http-api.md). */
export function openApiOf(routes: readonly Route[], version: string): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) (paths[pathOf(route)] ??= {})[route.method] = operationOf(route);
  return {
    openapi: '3.1.1',
    info: {
      title: 'Keytide relay',
      version,
      description: 'What is in the bodies, and who may do what, is in the specification of Keytide.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths: { ...paths, ...managementPaths() },
    components: {
      securitySchemes: {
        session: {
          type: 'http',
          scheme: 'bearer',
          description: 'The token of a session, which a login gives',
        },
      },
      schemas: { Refusal: schemaOf(errorResponse) },
    },
  };
}

/** `x-keytide-caller` is who may call, in the words of docs/http-api.md; `x-keytide-codes` are codes of `Refusal`. */
function operationOf(route: Route): Operation {
  return {
    summary: route.summary,
    'x-keytide-caller': route.who,
    security: hasSession(route.who) ? [{ session: [] }] : [],
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(route.body === undefined ? {} : { requestBody: { required: true, content: contentOf(route.body) } }),
    responses: {
      [route.status ?? 200]: { description: 'It is done', content: contentOf(route.answer) },
      ...refusals(route),
    },
  };
}

function pathOf({ path }: Route): string {
  return path.replace('*', '{rest}').replaceAll(/:([a-z]+)/gi, '{$1}');
}

function pathParameters({ path, params }: Route): JsonSchema[] {
  const described: Record<string, JsonSchema> = { org: schemaOf(hex32), ...propertiesOf(params) };
  return [...path.matchAll(/:([a-z]+)|\*/gi)].map(([found, name = 'rest']) => ({
    name,
    in: 'path',
    required: true,
    schema: described[found === '*' ? found : name],
  }));
}

function queryParameters({ query }: Route): JsonSchema[] {
  const required = query === undefined ? [] : (schemaOf(query)['required'] ?? []);
  return Object.entries(propertiesOf(query)).map(([name, schema]) => ({
    name,
    in: 'query',
    required: (required as readonly string[]).includes(name),
    schema,
  }));
}

function refusals(route: Route): Record<string, JsonSchema> {
  const byStatus: Record<number, string[]> = {};
  for (const code of refusalsOf(route)) (byStatus[statusOf(code)] ??= []).push(code);
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Refusal' } } };
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, codes]) => {
      return [status, { description: codes.join(', '), content, 'x-keytide-codes': codes }];
    }),
  );
}

function contentOf(schema: z.ZodType): JsonSchema {
  const isJson = schema !== rawBytes && schema !== plainText;
  return { [mediaTypeOf(schema)]: isJson ? { schema: schemaOf(schema) } : {} };
}

function propertiesOf(schema: z.ZodType | undefined): Record<string, JsonSchema> {
  return schema === undefined ? {} : (schemaOf(schema)['properties'] as Record<string, JsonSchema>);
}

/** As it travels, not as it is parsed. */
function schemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...described } = z.toJSONSchema(schema, { io: 'input' });
  return described;
}

/** The pages of another port, which is not for clients. */
function managementPaths(): Record<string, unknown> {
  const servers = [{ url: 'http://127.0.0.1:9464', description: 'The management port' }];
  const content = { 'text/plain; version=0.0.4; charset=utf-8': {} };
  return Object.fromEntries(
    Object.entries(MANAGEMENT_PAGES).map(([path, summary]) => {
      const responses = { 200: { description: 'Yes', content }, 503: { description: 'Not now', content } };
      return [path, { servers, get: { summary, 'x-keytide-caller': 'operator', security: [], responses } }];
    }),
  );
}
