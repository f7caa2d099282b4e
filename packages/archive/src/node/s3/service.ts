import type { IncomingMessage } from 'node:http';
import { setTimeout as pauseFor } from 'node:timers/promises';
import type { Random } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom, signAwsRequest, type AwsCredentials } from '@keytide/crypto-core/node';
import { ArchiveError } from '../../errors.ts';
import { errorWordIn, noAnswer, refusal } from './refusal.ts';
import { send, type HttpRequest } from './request.ts';

/** A bucket, of AWS or of any service that speaks S3, and who uses it. */
export interface S3Access {
  readonly bucket: string;
  /** What requests are signed for. */
  readonly region: string;
  /** Asked before each request, so that credentials for a while can follow one another. */
  readonly credentials: () => Promise<AwsCredentials>;
  /** Where it is not AWS's own; https, or http on this machine. Default: AWS's of the region. */
  readonly endpoint?: string;
  /** Whether the bucket is in the path instead of the host. Default: with an `endpoint`, or a dot in its name. */
  readonly pathStyle?: boolean;
  readonly clock?: S3Clock;
  readonly limits?: S3Limits;
  readonly random?: Random;
}

/** Time, in milliseconds. */
export interface S3Clock {
  /** Since 1970. */
  now(): number;
  pause(ms: number): Promise<unknown>;
}

/** How patient a destination is. */
export interface S3Limits {
  /** A connection on which nothing moves for so long is ended. */
  readonly idleMs: number;
  /** How often a request is made at most while what fails may pass. */
  readonly attempts: number;
  /** Before the second attempt at most; twice as much before each further one. */
  readonly pauseMs: number;
}

/** A request about the bucket (no key) or an object. */
interface S3Request {
  readonly method: HttpRequest['method'];
  /** Unreserved characters and slashes. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Statuses that are answers, besides those of 200 to 299. */
  readonly expected?: readonly number[];
}

/** An answer that was read to its end. */
interface S3Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** One character a byte. */
  readonly text: string;
}

/** A bucket. Calls throw ArchiveError `destination-failed` (it may pass), or what the service says no with. */
export interface S3Service {
  readonly limits: S3Limits;
  readonly clock: S3Clock;
  /** Made again while it fails in a way that may pass; `once` makes it once. */
  ask(request: S3Request, once?: 'once'): Promise<S3Answer>;
  /** The same, with the body still to be read. */
  open(request: S3Request): Promise<IncomingMessage>;
  /** Waits before attempt `count` + 1, or throws `error` when there were enough. */
  waitAfter(count: number, error: unknown): Promise<void>;
}

/** With a connection that breaks, about half a minute. */
const LIMITS: S3Limits = { idleMs: 60_000, attempts: 6, pauseMs: 1000 };
const CLOCK: S3Clock = { now: () => Date.now(), pause: (ms) => pauseFor(ms) };
/** A page of a list has a thousand names. */
const ANSWER_BYTES = 16 * 1024 * 1024;

/** @throws ArchiveError `bad-address` for a bucket, region or endpoint that is none */
export function s3Service(access: S3Access): S3Service {
  const { region, credentials, clock = CLOCK, limits = LIMITS, random = nodeRandom } = access;
  const base = bucketUrl(access);

  async function attempt({ method, key = '', query = {}, headers = {}, body, expected = [] }: S3Request) {
    const asked = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    const url = new URL(`${base}/${key}${asked.length === 0 ? '' : `?${asked.join('&')}`}`);
    const request = { method, url, headers, body: body ?? new Uint8Array() };
    const scope = { region, service: 's3', nowMs: clock.now() };
    const signed = signAwsRequest(nodePrimitives, await credentials(), scope, request);
    const answer = await send({ ...request, headers: signed }, limits.idleMs).catch(() => {
      throw noAnswer();
    });
    const status = answer.statusCode ?? 0;
    if ((status >= 200 && status < 300) || expected.includes(status)) return answer;
    throw refusal(status, errorWordIn(await textOf(answer)));
  }

  async function waitAfter(count: number, error: unknown): Promise<void> {
    const mayPass = error instanceof ArchiveError && error.code === 'destination-failed';
    if (!mayPass || count >= limits.attempts) throw error;
    // Between half and all of it, so that what failed together does not come back together.
    await clock.pause(limits.pauseMs * 2 ** (count - 1) * (0.5 + (random(1)[0] as number) / 512));
  }

  async function persist<T>(work: () => Promise<T>): Promise<T> {
    for (let count = 1; ; count += 1)
      try {
        return await work();
      } catch (error) {
        await waitAfter(count, error);
      }
  }

  async function askOnce(request: S3Request): Promise<S3Answer> {
    const answer = await attempt(request);
    const { statusCode: status = 0, headers } = answer;
    const text = await textOf(answer);
    // What takes long is begun with 200, and can still fail.
    const word = status < 300 ? errorWordIn(text) : null;
    if (word !== null) throw refusal(500, word);
    return { status, headers, text };
  }

  return {
    limits,
    clock,
    waitAfter,
    ask: (request, once) => (once ? askOnce(request) : persist(() => askOnce(request))),
    open: (request) => persist(() => attempt(request)),
  };
}

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const REGION = /^[a-z0-9-]{1,32}$/;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** The URL of a bucket, without a slash at its end. */
function bucketUrl({ bucket, region, endpoint, pathStyle }: S3Access): string {
  if (!BUCKET.test(bucket) || !REGION.test(region))
    throw new ArchiveError('bad-address', 'not the name of a bucket, or not a region');
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const address = endpoint ?? `https://s3.${region}.${domain}`;
  const url = URL.canParse(address) ? new URL(address) : null;
  const isPrivate = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname));
  if (url === null || !isPrivate || url.username !== '' || url.search !== '' || url.hash !== '')
    throw new ArchiveError('bad-address', 'the endpoint is https, or http on this machine');
  const path = url.pathname.replace(/\/$/, '');
  return (pathStyle ?? (endpoint !== undefined || bucket.includes('.')))
    ? `${url.origin}${path}/${bucket}`
    : `${url.protocol}//${bucket}.${url.host}${path}`;
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const piece of answer as AsyncIterable<Buffer>) {
      sizeBytes += piece.length;
      if (sizeBytes > ANSWER_BYTES) break;
      pieces.push(piece);
    }
  } catch {
    throw noAnswer();
  }
  if (sizeBytes > ANSWER_BYTES) throw noAnswer();
  return Buffer.concat(pieces).toString('latin1');
}
