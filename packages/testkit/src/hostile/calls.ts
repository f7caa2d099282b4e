import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Attack, Forward, HostileAnswer, HostileCall } from './attack.ts';

/** What the HTTP half of a hostile relay needs from the whole. */
export interface CallsHost {
  attacksOn(who: string | null): readonly Attack[];
  saw(bytes: Uint8Array): void;
  /** The real relay's address. */
  target(): string;
  /** Token, of either kind, to device or invite; filled in here as logins and refreshes pass by. */
  readonly owners: Map<string, string>;
}

/** Carries HTTP calls to the real relay and back, attacks between them. */
export function createCalls(host: CallsHost): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    answer(host, request).then(
      ({ status, body }) => {
        const isRaw = body instanceof Uint8Array;
        response.writeHead(status, { 'content-type': isRaw ? 'text/plain' : 'application/json' });
        response.end(isRaw ? body : JSON.stringify(body));
      },
      () => response.destroy(),
    );
  };
}

const BYTES = 'application/octet-stream';

async function answer(host: CallsHost, request: IncomingMessage): Promise<HostileAnswer> {
  const { method = 'GET', url: path = '/', headers } = request;
  const sent = await readAll(request);
  host.saw(Buffer.from(`${method} ${path}\n${JSON.stringify(request.rawHeaders)}`));
  host.saw(sent);
  const token = headers.authorization?.replace('Bearer ', '');
  const isBytes = headers['content-type'] === BYTES;
  const body = isBytes ? sent : parseJson(sent);
  const shown = token ?? textIn(body, 'refreshToken');
  const who = shown === null ? subjectOf(body) : (host.owners.get(shown) ?? null);

  const toRelay: Forward = async (call) => {
    const hasBody = call.body !== null;
    const response = await fetch(host.target() + call.path, {
      method: call.method,
      headers: {
        ...(hasBody ? { 'content-type': call.body instanceof Uint8Array ? BYTES : 'application/json' } : {}),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(hasBody ? { body: bodyOf(call.body) } : {}),
    });
    const received = new Uint8Array(await response.arrayBuffer());
    host.saw(Buffer.from(JSON.stringify([...response.headers])));
    host.saw(received);
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    const value = isJson ? parseJson(received) : received;
    for (const given of [textIn(value, 'token'), textIn(value, 'refreshToken')])
      if (given !== null && who !== null) host.owners.set(given, who);
    return { status: response.status, body: value };
  };
  const through = host
    .attacksOn(who)
    .reduceRight<Forward>(
      (next, { call: hook }) => (hook === undefined ? next : (call) => hook(call, next)),
      toRelay,
    );
  const call: HostileCall = { who, method, path, body };
  return await through(call);
}

function bodyOf(body: unknown): string | Uint8Array<ArrayBuffer> {
  return body instanceof Uint8Array ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body);
}

function subjectOf(body: unknown): string | null {
  const { subject } = (body ?? {}) as { subject?: { id?: unknown } };
  return typeof subject?.id === 'string' ? subject.id : null;
}

function textIn(body: unknown, key: 'token' | 'refreshToken'): string | null {
  const value = ((body ?? {}) as Record<string, unknown>)[key];
  return typeof value === 'string' ? value : null;
}

async function readAll(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return new Uint8Array(Buffer.concat(chunks));
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return null;
  }
}
