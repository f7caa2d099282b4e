/** A JSON Schema, as far as descriptions of relays use it. */
export interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly contentEncoding?: string;
  readonly description?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/** Who may call, in the words of docs/http-api.md. */
export type Caller =
  | 'anyone'
  | 'stranger'
  | 'session'
  | 'subject'
  | 'device'
  | 'admin'
  | 'exporter'
  | 'wiped';

/** A route, by what the relay says of it. */
export interface Operation {
  /** Such as `GET /v1/health`. */
  readonly name: string;
  readonly method: string;
  /** With `{org}` and the like. */
  readonly path: string;
  readonly caller: Caller;
  readonly parameters: readonly Parameter[];
  /** Of a JSON body; `null` without one. */
  readonly body: Schema | null;
  readonly takesBytes: boolean;
  /** Of a JSON answer; `null` for another. */
  readonly answer: Schema | null;
  /** The codes that it may refuse with. */
  readonly codes: readonly string[];
}

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required: boolean;
  readonly schema: Schema;
}

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>;
}

interface DescribedOperation {
  readonly 'x-keytide-caller': Caller | 'operator';
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<
    Record<string, { readonly content: Content; readonly 'x-keytide-codes'?: string[] }>
  >;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

/** Every route that the relay says it has, but those of the management port. */
export async function operationsOf(relayUrl: string): Promise<Operation[]> {
  const response = await fetch(`${relayUrl}/v1/openapi.json`);
  const { paths } = (await response.json()) as Described;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, described]) => {
      const { 'x-keytide-caller': caller, parameters, requestBody, responses } = described;
      if (caller === undefined || caller === 'operator') return [];
      const done = responses['200'] ?? responses['201'];
      return {
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        caller,
        parameters,
        body: requestBody?.content['application/json']?.schema ?? null,
        takesBytes: requestBody?.content['application/octet-stream'] !== undefined,
        answer: done?.content['application/json']?.schema ?? null,
        codes: Object.values(responses).flatMap((each) => each['x-keytide-codes'] ?? []),
      };
    }),
  );
}

/** Whether its caller has a session. */
export function takesSession({ caller }: Operation): boolean {
  return caller !== 'anyone' && caller !== 'stranger';
}

/** Something that each part of a path may be. */
const PARTS: Readonly<Record<string, string>> = {
  epoch: '1',
  collection: 'notes',
  rest: 'tile/0/000.p/1',
};

/** The path of an operation in this organisation, with parts that have the right form and name nothing there. */
export function pathOf({ path, parameters }: Operation, org: string): string {
  return path.replaceAll(/\{([a-z]+)\}/gi, (_found, name: string) => {
    if (name === 'org') return org;
    const schema = parameters.find((each) => each.name === name)?.schema;
    return PARTS[name] ?? 'ab'.repeat(schema?.description?.startsWith('16') === true ? 16 : 32);
  });
}

/** The paths in a JSON value that its schema does not describe. */
export function undescribed(schema: Schema, value: unknown, at = ''): string[] {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) {
    const found = choices.map((choice) => undescribed(choice, value, at));
    return found.toSorted((a, b) => a.length - b.length)[0] ?? [];
  }
  if (Array.isArray(value))
    return value.flatMap((item, i) => undescribed(schema.items ?? {}, item, `${at}[${i}]`));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const described = schema.properties?.[key];
    return described === undefined ? [`${at}.${key}`] : undescribed(described, inner, `${at}.${key}`);
  });
}
