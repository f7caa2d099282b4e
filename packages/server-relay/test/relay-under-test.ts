import { signBytes, toBase64Url, fromBase64Url, type OrgId, type Signer } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { loginBytes, type Subject } from '@keytide/relay-protocol';
import { startRelay, type LogEvent, type Relay, type RelayOptions } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import type { SeededDevice, SeededWorld } from '@keytide/testkit';

/** A relay in this process with everything it logged. */
export interface RelayUnderTest extends Relay {
  readonly events: LogEvent[];
}

/** As much of a relay as a client sees, in whatever process it is. */
export type ReachableRelay = Pick<Relay, 'url' | 'name'>;

/** Starts one on an embedded database in memory and a free port. */
export async function relayUnderTest(options: Partial<RelayOptions>): Promise<RelayUnderTest> {
  const events: LogEvent[] = [];
  const log = (event: LogEvent): void => void events.push(event);
  // Fails the run, whoever asked.
  const undeclared = (what: string): void => void Promise.reject(new Error(what));
  const relay = await startRelay({ database: memoryDatabase(), port: 0, log, undeclared, ...options });
  return { ...relay, events };
}

/** The fields that answers of a relay have. */
interface AnswerBody {
  readonly code: string;
  readonly reason?: string;
  readonly token: string;
  readonly refreshToken: string;
  readonly expiresAtMs: number;
  readonly endsAtMs: number;
  readonly challenge: string;
  readonly box: string;
}

/** An HTTP answer, body parsed. */
export interface Answer {
  readonly status: number;
  readonly body: AnswerBody;
}

export async function call(
  relay: ReachableRelay,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  { body, token }: { body?: unknown; token?: string } = {},
): Promise<Answer> {
  const response = await fetch(`${relay.url}/v1${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as AnswerBody };
}

/** What a login may deviate in. */
export interface LoginChanges {
  readonly relayName?: string;
  readonly challenge?: Uint8Array;
  readonly signedSubject?: Subject;
}

export async function freshChallenge(
  relay: ReachableRelay,
  org: OrgId,
  subject: Subject,
): Promise<Uint8Array> {
  const { body } = await call(relay, 'POST', `/organisations/${org}/challenges`, { body: { subject } });
  return fromBase64Url(body.challenge) as Uint8Array;
}

/** Answers a challenge; the raw answer. */
export async function tryLogin(
  relay: ReachableRelay,
  org: OrgId,
  login: { readonly subject: Subject; readonly signer: Signer },
  changes: LoginChanges = {},
): Promise<Answer> {
  const { subject, signer } = login;
  const challenge = changes.challenge ?? (await freshChallenge(relay, org, subject));
  const claim = loginBytes({
    relayName: changes.relayName ?? relay.name,
    org,
    subject: changes.signedSubject ?? subject,
    challenge,
  });
  const signature = toBase64Url(signBytes(nodePrimitives, signer, 'login', claim));
  const body = { subject, challenge: toBase64Url(challenge), signature };
  return call(relay, 'POST', `/organisations/${org}/sessions`, { body });
}

export function asDevice(device: SeededDevice): { subject: Subject; signer: Signer } {
  return { subject: { kind: 'device', id: device.id }, signer: device.signer };
}

/** A session's token. */
export async function tokenOf(relay: ReachableRelay, org: OrgId, device: SeededDevice): Promise<string> {
  const { status, body } = await tryLogin(relay, org, asDevice(device));
  if (status !== 200) throw new Error(`login: ${status} ${body.code}`);
  return body.token as string;
}

export function appendLog(
  relay: ReachableRelay,
  org: OrgId,
  token: string,
  wire: Uint8Array,
): Promise<Answer> {
  return call(relay, 'POST', `/organisations/${org}/log`, { token, body: { entry: toBase64Url(wire) } });
}

/** Hands a world's whole log to the relay; the founder's token. */
export async function settle(relay: ReachableRelay, world: SeededWorld): Promise<string> {
  const [genesis, ...rest] = world.wires as [Uint8Array, ...Uint8Array[]];
  await call(relay, 'POST', '/organisations', { body: { entry: toBase64Url(genesis) } });
  const token = await tokenOf(relay, world.org, world.members[0].devices[0]);
  for (const wire of rest) {
    const { status, body } = await appendLog(relay, world.org, token, wire);
    if (status !== 201) throw new Error(`settle: ${status} ${body.code} ${body.reason}`);
  }
  return token;
}
