import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '@keytide/crypto-core';
import { RelayError } from '../errors.ts';

/** How long and how often a service that keeps keys or secrets is asked. */
export interface CallLimits {
  /** For one attempt, until its answer is here whole. */
  readonly timeoutMs: number;
  /** At most. */
  readonly attempts: number;
  /** Before the second attempt at most; twice as much before each further one. */
  readonly pauseMs: number;
}

/** So whoever waits for a key waits for about ten seconds at most. */
export const CALL_LIMITS: CallLimits = { timeoutMs: 3000, attempts: 3, pauseMs: 200 };

/** What a service answered. */
export interface ServiceAnswer {
  readonly status: number;
  readonly headers: Pick<Headers, 'get'>;
  readonly body: Uint8Array;
}

interface ServiceRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** How much is read of an answer: a secret has 64 KiB at most; escaped as JSON that may be a few times as much. */
const ANSWER_BYTES = 262_144;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * The address of a service. Secrets travel there, so it is https, or on this machine.
 * @throws RelayError `bad-reference`
 */
export function serviceAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null;
  const isPrivate = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname));
  if (url === null || !isPrivate || url.username !== '' || url.search !== '' || url.hash !== '')
    throw new RelayError('bad-reference', 'the address of a service is https, or http on this machine');
  return url;
}

/**
 * One attempt. Redirects are answers: a token or a signature goes nowhere else.
 * @throws RelayError `key-service-failed`: out of reach, too slow, too long, or a problem of its own (429, 5xx)
 */
export async function callService(
  url: URL,
  request: ServiceRequest,
  timeoutMs: number,
  answerBytes: number = ANSWER_BYTES,
): Promise<ServiceAnswer> {
  let answer: ServiceAnswer;
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const { body, ...rest } = request;
    const init = { ...rest, redirect: 'manual', signal } as const;
    const response = await fetch(url, body === undefined ? init : { ...init, body: Buffer.from(body) });
    const { status, headers } = response;
    answer = { status, headers, body: await bodyOf(response, answerBytes) };
  } catch (error) {
    // Not the error itself: those of fetch quote headers.
    const name = (error as Error).name;
    throw serviceFailed(name === 'TimeoutError' ? 'timeout' : 'unreachable');
  }
  if (answer.status === 429 || answer.status >= 500) throw serviceFailed(`http-${answer.status}`);
  return answer;
}

/** Asks again, after a pause, while the error is one that may pass. The last one is thrown. */
export async function persist<T>(limits: CallLimits, random: Random, attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof RelayError) || error.code !== 'key-service-failed') throw error;
      if (count >= limits.attempts) throw error;
    }
    // Between half and all of it, so that relays that failed together do not come back together.
    const share = 0.5 + (random(1)[0] as number) / 512;
    await pause(limits.pauseMs * 2 ** (count - 1) * share);
  }
}

/** The JSON of an answer; `null` for what is none. */
export function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown;
  } catch {
    return null;
  }
}

/** A retry may help. `reason` is a word of ours, or one of the service that we know: never its text. */
export function serviceFailed(reason: string): RelayError {
  return new RelayError('key-service-failed', `the service that keeps keys gave no answer (${reason})`, {
    reason,
  });
}

/** It says no, and will until somebody changes something. `reason` as above. */
export function serviceRefused(reason: string): RelayError {
  return new RelayError('key-service-refused', `the service that keeps keys refuses (${reason})`, { reason });
}

async function bodyOf(response: Response, answerBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > answerBytes) throw new RangeError('the answer is too long');
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
