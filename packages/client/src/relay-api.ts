import {
  concatBytes,
  decodeUtf8,
  toBase64Url,
  type DeviceId,
  type GroupId,
  type OrgId,
} from '@keytide/crypto-core';
import { tilePath, type HeadName, type TileName } from '@keytide/key-directory';
import {
  boxResponse,
  cosignatureResponse,
  cosignedResponse,
  decodeFrameList,
  doneResponse,
  errorResponse,
  floorResponse,
  healthResponse,
  LIMITS,
  logAppendResponse,
  lookupResponse,
  logResponse,
  organisationResponse,
  ProtocolError,
  sealingRecordResponse,
  sealingRecordsResponse,
  type FloorBody,
  type RelayFrame,
  type SealingRecordsBody,
  type SessionBody,
  type SessionsNamed,
} from '@keytide/relay-protocol';
import { z } from 'zod';
import { ClientError } from './errors.ts';
import type { Ports } from './ports.ts';
import { RelaySession, type Login } from './relay-session.ts';

const TIMEOUT_MS = 20_000;
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** The relay's HTTP routes, as one login of one organisation uses them (docs/spec/sessions.md). */
export class RelayApi {
  readonly #ports: Ports;
  readonly #origin: string;
  readonly #org: OrgId;
  readonly #session: RelaySession;

  /** @throws ClientError `relay-misbehaved` never; TypeError when `relayUrl` is not a URL */
  constructor(ports: Ports, relayUrl: string, org: OrgId, login: Login) {
    this.#ports = ports;
    this.#origin = new URL(relayUrl).origin;
    this.#org = org;
    this.#session = new RelaySession({
      ...login,
      primitives: ports.primitives,
      origin: this.#origin,
      org,
      post: (path, answer, body) => this.#call('POST', path, answer, body),
      found: (genesis) => registerOrganisation(ports, relayUrl, genesis),
    });
  }

  /** Where the routes of the organisation begin. */
  get url(): string {
    return `${this.#origin}/v1/organisations/${this.#org}`;
  }

  /** Where the WebSocket is. Carries no secret: the token travels in the first frame. */
  get socketUrl(): string {
    return `${this.#origin.replace(/^http/, 'ws')}/v1/socket`;
  }

  /** The access token of the current session; logs in when there is none. */
  async token(): Promise<string> {
    return (await this.#session.fetch()).token;
  }

  /** Another access token: that, and until when it is good by the relay's clock. */
  renew(): Promise<Pick<SessionBody, 'token' | 'expiresAtMs'>> {
    this.forgetToken();
    return this.#session.fetch();
  }

  /** Until when the access token is good by the relay's clock; `null` without one. */
  async expiresAtMs(): Promise<number | null> {
    return (await this.#session.held)?.expiresAtMs ?? null;
  }

  /** Forgets the access token, so that the next call refreshes the session. */
  forgetToken(): void {
    this.#session.forgetToken(this.#session.held);
  }

  /** Forgets the session, so that the next call logs in again. */
  forgetSession(): void {
    this.#session.forget();
  }

  /**
   * Ends sessions at the relay: nothing more reaches them when it resolves.
   * @throws ClientError `relay-refused` with `not-a-member` for a device that is neither one's own nor an admin's to end
   */
  async endSessions(named: SessionsNamed): Promise<void> {
    await this.call('POST', '/sessions/end', doneResponse, named);
    if (named.which === 'this') this.forgetSession();
  }

  /** Membership log entries from index `from`, as many as one page holds. */
  readLog(from: number): Promise<{ entries: Uint8Array[]; size: number }> {
    return this.call('GET', `/log?from=${from}`, logResponse);
  }

  /** Adds an entry; its index. @throws ClientError `relay-refused` with `head-moved` when others were first */
  async appendLog(entry: Uint8Array): Promise<number> {
    const body = { entry: toBase64Url(entry) };
    return (await this.call('POST', '/log', logAppendResponse, body)).index;
  }

  /** The sealed epoch key of this device, or of an archive; `null` when the relay has none for it. */
  async box(group: GroupId, epoch: number, archive?: DeviceId): Promise<Uint8Array | null> {
    const path = `/groups/${group}/boxes/${epoch}${archive === undefined ? '' : `/${archive}`}`;
    try {
      return (await this.call('GET', path, boxResponse)).box;
    } catch (error) {
      if (error instanceof ClientError && error.relayCode === 'no-box') return null;
      throw error;
    }
  }

  /** A page of a group's log after a place of this timeline, as frames: not verified. */
  readEntries(group: GroupId, afterSeq: number, timeline: Uint8Array): Promise<RelayFrame[]> {
    const path = `/groups/${group}/entries?after=${afterSeq}&timeline=${toBase64Url(timeline)}&wait=0`;
    return this.call('GET', path, framesIn);
  }

  /** Where a group's log begins, of which days are forgotten: not verified. */
  floor(group: GroupId): Promise<FloorBody> {
    return this.call('GET', `/groups/${group}/floor`, floorResponse);
  }

  /** The checkpoint of the membership log's first `size` entries, or its newest: a signed note, not verified. */
  readCheckpoint(size?: number): Promise<Uint8Array> {
    const query = size === undefined ? '' : `?size=${size}`;
    return this.call('GET', `/log/checkpoint${query}`, bytesWithin(LIMITS.noteBytes));
  }

  /** The way to a head in the map of the checkpoint of `size`, not verified. */
  async readLookup(name: HeadName, size: number): Promise<Uint8Array> {
    return (await this.lookUp(name, size)).lookup;
  }

  /** The same, with the checkpoint that the relay says it is under: a signed note, not verified. */
  lookUp(name: HeadName, size: number): Promise<{ checkpoint: Uint8Array; lookup: Uint8Array }> {
    const path = name.of === 'organisation' ? name.of : `${name.of}s/${name.id}`;
    return this.call('GET', `/directory/${path}?size=${size}`, lookupResponse);
  }

  /** One entry of the membership log, not verified; `null` when the relay has none. */
  async readEntry(index: number): Promise<Uint8Array | null> {
    const { entries } = await this.call('GET', `/log?from=${index}&count=1`, logResponse);
    return entries[0] ?? null;
  }

  /** Of each device that has cosigned, the newest checkpoint it did: signed notes, not verified, the newest first. */
  async readCosigned(): Promise<readonly Uint8Array[]> {
    return (await this.call('GET', '/log/cosignatures', cosignedResponse)).notes;
  }

  /**
   * Hands in a checkpoint with this device's cosignature; a newer one takes its place.
   * @throws ClientError `relay-refused` with `entry-refused` and the reason
   */
  async handInCosignature(note: Uint8Array): Promise<void> {
    const body = { note: decodeUtf8(note) };
    await this.call('POST', '/log/cosignatures', cosignatureResponse, body);
  }

  /** A tile of the membership log's tree, not verified; `null` when the relay has none. */
  async readTile(tile: TileName): Promise<Uint8Array | null> {
    try {
      return await this.call('GET', `/log/${tilePath(tile)}`, bytesWithin(MAX_BODY_BYTES));
    } catch (error) {
      if (error instanceof ClientError && error.relayCode === 'not-found') return null;
      throw error;
    }
  }

  /** Hands in this device's next sealing record; the same bytes again are harmless. @throws ClientError `relay-refused` with `record-refused` */
  async publishSealingRecord(record: Uint8Array): Promise<void> {
    const body = { record: toBase64Url(record) };
    await this.call('POST', '/sealing-records', sealingRecordResponse, body);
  }

  /** Sealing records of all devices after a place in the relay's list, as many as one page holds. */
  readSealingRecords(after: number): Promise<SealingRecordsBody> {
    return this.call('GET', `/sealing-records?after=${after}`, sealingRecordsResponse);
  }

  /**
   * Calls a route below the organisation's own, within a session: `path` starts with a slash; a `body` of bytes
   * travels as it is, any other as JSON.
   * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`
   */
  async call<T>(method: string, path: string, answer: Answer<T>, body?: unknown): Promise<T> {
    const { held } = this.#session;
    try {
      return await this.#call(method, path, answer, body, await this.token());
    } catch (error) {
      // A session can end at any time; a fresh login tells an ended session from a lost right.
      if (held === null || !(error instanceof ClientError) || error.relayCode !== 'session-ended')
        throw error;
      this.#session.forgetToken(held);
      return await this.#call(method, path, answer, body, await this.token());
    }
  }

  #call<T>(method: string, path: string, answer: Answer<T>, body?: unknown, token?: string): Promise<T> {
    return callRelay(this.#ports, { method, url: `${this.url}${path}`, body, token: token ?? null }, answer);
  }
}

/** Registers an organisation by its genesis entry; repeating it is harmless. */
export async function registerOrganisation(
  ports: Ports,
  relayUrl: string,
  genesis: Uint8Array,
  idToken?: string,
): Promise<string> {
  const url = `${new URL(relayUrl).origin}/v1/organisations`;
  const vouched = idToken === undefined ? {} : { idToken };
  const body = { entry: toBase64Url(genesis), ...vouched };
  const request = { method: 'POST', url, body, token: null };
  return (await callRelay(ports, request, organisationResponse)).org;
}

/** The Ed25519 key (32 bytes) that the relay says is its own; `null` from one that has none. */
export async function readRelayKey(ports: Ports, relayUrl: string): Promise<Uint8Array | null> {
  const url = `${new URL(relayUrl).origin}/v1/health`;
  const { key } = await callRelay(ports, { method: 'GET', url, body: undefined, token: null }, health);
  return key ?? null;
}

const health = z.union([
  healthResponse,
  z.object({ status: z.literal('ok'), key: z.undefined().optional() }),
]);

/** How an answer is read: JSON by its schema, or bytes as they are; `null` for what it is not. */
export type Answer<T> = z.ZodType<T> | ((bytes: Uint8Array) => T | null);

function framesIn(bytes: Uint8Array): RelayFrame[] | null {
  try {
    return decodeFrameList(bytes);
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

export function bytesWithin(most: number): Answer<Uint8Array> {
  return (bytes) => (bytes.length <= most ? bytes : null);
}

interface Request {
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
  readonly token: string | null;
}

/** One call of a route. @throws ClientError `offline`, `relay-refused`, `relay-misbehaved` */
export async function callRelay<T>(
  ports: Pick<Ports, 'fetch' | 'clock'>,
  request: Request,
  answer: Answer<T>,
): Promise<T> {
  let status: number;
  let bytes: Uint8Array | null;
  const done = new AbortController();
  const late = new AbortController();
  void ports.clock.wait(TIMEOUT_MS, done.signal).then(() => late.abort());
  try {
    const response = await ports.fetch(request.url, {
      method: request.method,
      headers: {
        ...(request.body === undefined ? {} : { 'content-type': contentTypeOf(request.body) }),
        ...(request.token === null ? {} : { authorization: `Bearer ${request.token}` }),
      },
      ...(request.body === undefined ? {} : { body: bodyOf(request.body) }),
      redirect: 'error',
      signal: late.signal,
    });
    status = response.status;
    bytes = await readBytes(response);
  } catch (cause) {
    throw new ClientError('offline', `the relay at ${new URL(request.url).origin} cannot be reached`, {
      cause,
    });
  } finally {
    done.abort();
  }
  if (status >= 500)
    throw new ClientError('offline', `the relay has a problem of its own (status ${status})`);
  if (status >= 400) throw refusedBy(parseJson(bytes));
  const value = bytes === null ? null : readAnswer(answer, bytes);
  if (value === null)
    throw new ClientError('relay-misbehaved', 'the relay answered with something else than asked for');
  return value;
}

function contentTypeOf(body: unknown): string {
  return body instanceof Uint8Array ? 'application/octet-stream' : 'application/json';
}

/** Bytes travel as they are, everything else as JSON. */
function bodyOf(body: unknown): string | Uint8Array<ArrayBuffer> {
  return body instanceof Uint8Array ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body);
}

function readAnswer<T>(answer: Answer<T>, bytes: Uint8Array): T | null {
  if (typeof answer === 'function') return answer(bytes);
  const parsed = answer.safeParse(parseJson(bytes));
  return parsed.success ? parsed.data : null;
}

/** An error page of whatever stands between here and the relay is no refusal: it passes. */
function refusedBy(value: unknown): ClientError {
  const error = errorResponse.safeParse(value).data;
  if (error === undefined)
    return new ClientError('relay-misbehaved', 'refused by something that is not the relay');
  const { code, reason } = error;
  const because = reason === undefined ? '' : ` (${reason})`;
  return new ClientError('relay-refused', `the relay refused: ${code}${because}`, {
    relayCode: code,
    relayReason: reason ?? null,
  });
}

/** An answer's bytes; `null` when they are more than any answer of the protocol has. */
async function readBytes(response: Response): Promise<Uint8Array | null> {
  // React Native gives no stream: there all of it is in memory before it can be measured.
  const reader = response.body?.getReader();
  if (reader === undefined) {
    const bytes = new Uint8Array(await response.arrayBuffer());
    return bytes.length > MAX_BODY_BYTES ? null : bytes;
  }
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concatBytes(...chunks);
    sizeBytes += value.length;
    if (sizeBytes > MAX_BODY_BYTES) {
      await reader.cancel();
      return null;
    }
    chunks.push(value);
  }
}

function parseJson(bytes: Uint8Array | null): unknown {
  const text = bytes === null ? null : decodeUtf8(bytes);
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
