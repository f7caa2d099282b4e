import {
  concatBytes,
  decodeUtf8,
  signBytes,
  toBase64Url,
  type GroupId,
  type OrgId,
  type Signer,
} from '@keytide/crypto-core';
import {
  boxResponse,
  challengeResponse,
  errorResponse,
  logAppendResponse,
  loginBytes,
  logResponse,
  organisationResponse,
  sessionResponse,
  type Subject,
} from '@keytide/relay-protocol';
import type { z } from 'zod';
import { ClientError } from './errors.ts';
import type { Ports } from './ports.ts';

/** Who logs in, and the key that proves it. */
export interface Login {
  readonly subject: Subject;
  readonly signer: Signer;
}

const TIMEOUT_MS = 20_000;
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** The relay's HTTP routes, as one login of one organisation uses them (docs/spec/sessions.md). */
export class RelayApi {
  readonly #ports: Ports;
  readonly #origin: string;
  readonly #org: OrgId;
  readonly #login: Login;
  #token: string | null = null;

  /** @throws ClientError `relay-misbehaved` never; TypeError when `relayUrl` is not a URL */
  constructor(ports: Ports, relayUrl: string, org: OrgId, login: Login) {
    this.#ports = ports;
    this.#origin = new URL(relayUrl).origin;
    this.#org = org;
    this.#login = login;
  }

  /** Where the WebSocket is. Carries no secret: the token travels in the first frame. */
  get socketUrl(): string {
    return `${this.#origin.replace(/^http/, 'ws')}/v1/socket`;
  }

  /** The bearer token of the current session; logs in when there is none. */
  async token(): Promise<string> {
    this.#token ??= await this.#logIn();
    return this.#token;
  }

  /** Forgets the session, so that the next call logs in again. */
  forgetSession(): void {
    this.#token = null;
  }

  /** Membership log entries from index `from`, as many as one page holds. */
  readLog(from: number): Promise<{ entries: Uint8Array[]; size: number }> {
    return this.#withSession('GET', `/log?from=${from}`, logResponse);
  }

  /** Adds an entry; its index. @throws ClientError `relay-refused` with `head-moved` when others were first */
  async appendLog(entry: Uint8Array): Promise<number> {
    const body = { entry: toBase64Url(entry) };
    return (await this.#withSession('POST', '/log', logAppendResponse, body)).index;
  }

  /** This device's sealed epoch key, or `null` when the relay has none for it. */
  async box(group: GroupId, epoch: number): Promise<Uint8Array | null> {
    try {
      return (await this.#withSession('GET', `/groups/${group}/boxes/${epoch}`, boxResponse)).box;
    } catch (error) {
      if (error instanceof ClientError && error.relayCode === 'no-box') return null;
      throw error;
    }
  }

  async #withSession<T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    const hadSession = this.#token !== null;
    try {
      return await this.#call(method, path, schema, body, await this.token());
    } catch (error) {
      // A session can end at any time; a fresh login tells an ended session from a lost right.
      if (!hadSession || !(error instanceof ClientError) || error.relayCode !== 'session-ended') throw error;
      this.forgetSession();
      return await this.#call(method, path, schema, body, await this.token());
    }
  }

  async #logIn(): Promise<string> {
    const { subject, signer } = this.#login;
    const { challenge } = await this.#call('POST', '/challenges', challengeResponse, { subject });
    const claim = loginBytes({ relayName: this.#origin, org: this.#org, subject, challenge });
    const signature = signBytes(this.#ports.primitives, signer, 'login', claim);
    const answer = { subject, challenge: toBase64Url(challenge), signature: toBase64Url(signature) };
    return (await this.#call('POST', '/sessions', sessionResponse, answer)).token;
  }

  #call<T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown, token?: string): Promise<T> {
    const url = `${this.#origin}/v1/organisations/${this.#org}${path}`;
    return callRelay(this.#ports, { method, url, body, token: token ?? null }, schema);
  }
}

/** Registers an organisation by its genesis entry; repeating it is harmless. */
export async function registerOrganisation(
  ports: Ports,
  relayUrl: string,
  genesis: Uint8Array,
): Promise<string> {
  const url = `${new URL(relayUrl).origin}/v1/organisations`;
  const request = { method: 'POST', url, body: { entry: toBase64Url(genesis) }, token: null };
  return (await callRelay(ports, request, organisationResponse)).org;
}

interface Request {
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
  readonly token: string | null;
}

async function callRelay<T>(ports: Ports, request: Request, schema: z.ZodType<T>): Promise<T> {
  let status: number;
  let text: string | null;
  const done = new AbortController();
  const late = new AbortController();
  void ports.clock.wait(TIMEOUT_MS, done.signal).then(() => late.abort());
  try {
    const response = await ports.fetch(request.url, {
      method: request.method,
      headers: {
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(request.token === null ? {} : { authorization: `Bearer ${request.token}` }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      redirect: 'error',
      signal: late.signal,
    });
    status = response.status;
    text = await readText(response);
  } catch (cause) {
    throw new ClientError('offline', `the relay at ${new URL(request.url).origin} cannot be reached`, {
      cause,
    });
  } finally {
    done.abort();
  }
  if (status >= 500)
    throw new ClientError('offline', `the relay has a problem of its own (status ${status})`);
  const value = text === null ? null : parseJson(text);
  if (status >= 400) throw refusedBy(value);
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw new ClientError('relay-misbehaved', 'the relay answered with something else than asked for');
  return parsed.data;
}

/** An error page of whatever stands between here and the relay is no refusal: it passes. */
function refusedBy(value: unknown): ClientError {
  const error = errorResponse.safeParse(value).data;
  if (error === undefined)
    return new ClientError('relay-misbehaved', 'refused by something that is not the relay');
  const { code, reason } = error;
  const because = reason === undefined ? '' : ` (${reason})`;
  return new ClientError('relay-refused', `the relay refused: ${code}${because}`, { relayCode: code });
}

/** An answer's text; `null` when it is longer than any answer of the protocol, or no UTF-8. */
async function readText(response: Response): Promise<string | null> {
  // React Native gives no stream: there the whole text is in memory before it can be measured.
  const reader = response.body?.getReader();
  if (reader === undefined) {
    const text = await response.text();
    return text.length > MAX_BODY_BYTES ? null : text;
  }
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return decodeUtf8(concatBytes(...chunks));
    sizeBytes += value.length;
    if (sizeBytes > MAX_BODY_BYTES) {
      await reader.cancel();
      return null;
    }
    chunks.push(value);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
