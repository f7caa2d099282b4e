import { toHex } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom, signAwsRequest } from '@keytide/crypto-core/node';
import { RelayError } from '../errors.ts';
import type { AwsAccess } from './aws-service.ts';
import {
  callService,
  persist,
  serviceAddress,
  serviceFailed,
  serviceRefused,
  type CallLimits,
  type ServiceAnswer,
} from './service-call.ts';

/** Where a bucket is, and who uses it: of AWS, or of any service that speaks S3 and knows conditional writes. */
export interface S3Access extends AwsAccess {
  readonly bucket: string;
  /** What requests are signed for; services other than AWS's say which. */
  readonly region: string;
  /** Whether the bucket is in the path instead of the host. Default: with an `endpoint`, or a dot in its name. */
  readonly pathStyle?: boolean;
}

/** A bucket. Calls throw RelayError `key-service-failed` (it may pass) or `key-service-refused`, with a reason. */
export interface S3Bucket {
  /**
   * Writes an object whole, if `when` holds: there is none, or it is still the one with this tag. `null` if it does
   * not. `keepsVersions`: the bucket keeps what is overwritten or deleted.
   */
  put(
    key: string,
    bytes: Uint8Array,
    when?: PutCondition,
  ): Promise<{ readonly keepsVersions: boolean } | null>;
  /** An object as `put` has written it; `null` without one. Another one is refused as `damaged`. */
  get(key: string): Promise<S3Object | null>;
  /** Removes an object; without one, nothing. */
  delete(key: string): Promise<void>;
  /** The keys of some objects that begin so, at most 250; none when there are none. */
  list(prefix: string): Promise<readonly string[]>;
}

/** When an object may be written. */
export type PutCondition = 'absent' | { readonly tag: string };

/** An object, and what names this very content of it. */
export interface S3Object {
  readonly bytes: Uint8Array;
  readonly tag: string;
}

/** Objects of a quarter of a mebibyte on their way there, within about a minute. */
const OBJECT_LIMITS: CallLimits = { timeoutMs: 10_000, attempts: 3, pauseMs: 200 };
const ANSWER_BYTES = 1_048_576;
const LISTED = 250;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const REGION = /^[a-z0-9-]{1,32}$/;
const KEY = /^[a-z0-9/-]{1,512}$/;
/** With a status below 500 all the same. */
const PASSING = new Set(['RequestTimeout', 'ConditionalRequestConflict', 'OperationAborted', 'SlowDown']);
/** Other names are not repeated: they are text of the service. */
const LASTING = new Set([
  'AccessDenied',
  'AuthorizationHeaderMalformed',
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidToken',
  'NoSuchBucket',
  'NotImplemented',
  'PermanentRedirect',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
]);

/**
 * Objects have the SHA-256 of their content with them (`x-amz-meta-sha256`), so that nothing is read that is not what
 * was written.
 * @throws RelayError `bad-reference` for a bucket, region or endpoint that is none
 */
export function s3Bucket(access: S3Access): S3Bucket {
  const { region, clock = { now: () => Date.now() }, limits = OBJECT_LIMITS } = access;
  const { primitives = nodePrimitives, random = nodeRandom } = access;
  const base = bucketUrl(access);

  async function ask(
    method: 'GET' | 'PUT' | 'DELETE',
    place: string,
    request: { readonly headers?: Readonly<Record<string, string>>; readonly body?: Uint8Array } = {},
  ): Promise<ServiceAnswer> {
    const { headers = {}, body = new Uint8Array() } = request;
    const url = new URL(base + place);
    return persist(limits, random, async () => {
      const scope = { region, service: 's3', nowMs: clock.now() };
      const signed = signAwsRequest(primitives, await access.credentials(), scope, {
        method,
        url,
        headers,
        body,
      });
      const sent = method === 'PUT' ? { method, headers: signed, body } : { method, headers: signed };
      const answer = await callService(url, sent, limits.timeoutMs, ANSWER_BYTES);
      const { status } = answer;
      if (status === 200 || status === 204 || status === 412) return answer;
      const name = /<Code>([A-Za-z]{1,64})<\/Code>/.exec(textOf(answer.body))?.[1] ?? '';
      if (PASSING.has(name)) throw serviceFailed(name);
      if (status === 404 && name !== 'NoSuchBucket') return answer;
      throw serviceRefused(LASTING.has(name) ? name : `http-${status}`);
    });
  }

  function at(key: string): string {
    if (!KEY.test(key)) throw new RangeError('not a key of ours');
    return `/${key}`;
  }

  return {
    async put(key, bytes, when) {
      const headers: Record<string, string> = {
        'content-type': 'application/octet-stream',
        'x-amz-meta-sha256': toHex(primitives.sha256(bytes)),
      };
      if (when === 'absent') headers['if-none-match'] = '*';
      else if (when !== undefined) headers['if-match'] = when.tag;
      const { status, headers: answered } = await ask('PUT', at(key), { headers, body: bytes });
      // What was to be overwritten is gone: 404.
      if (status === 412 || (status === 404 && when !== undefined)) return null;
      if (status !== 200) throw serviceRefused(`http-${status}`);
      return { keepsVersions: (answered.get('x-amz-version-id') ?? 'null') !== 'null' };
    },
    async get(key) {
      const { status, headers, body } = await ask('GET', at(key));
      if (status === 404) return null;
      const tag = headers.get('etag');
      const isOurs = status === 200 && headers.get('x-amz-meta-sha256') === toHex(primitives.sha256(body));
      if (!isOurs || tag === null) throw serviceRefused('damaged');
      return { bytes: body, tag };
    },
    async delete(key) {
      const { status } = await ask('DELETE', at(key));
      if (status === 412) throw serviceRefused('http-412');
    },
    async list(prefix) {
      at(prefix);
      const query = `?list-type=2&max-keys=${LISTED}&prefix=${encodeURIComponent(prefix)}`;
      const { status, body } = await ask('GET', `/${query}`);
      const text = textOf(body);
      if (status !== 200) throw serviceRefused(`http-${status}`);
      if (!text.includes('</ListBucketResult>')) throw serviceRefused('damaged');
      const keys = Array.from(text.matchAll(/<Key>([^<]*)<\/Key>/g), ([, key = '']) => key);
      // Keys of ours have nothing in them that XML writes otherwise.
      if (keys.some((key) => !key.startsWith(prefix) || !KEY.test(key))) throw serviceRefused('damaged');
      return keys;
    },
  };
}

/** The URL of a bucket, without a slash at its end. @throws RelayError `bad-reference` */
export function bucketUrl({
  bucket,
  region,
  endpoint,
  pathStyle = endpoint !== undefined || bucket.includes('.'),
}: Pick<S3Access, 'bucket' | 'region' | 'endpoint' | 'pathStyle'>): string {
  if (!BUCKET.test(bucket) || !REGION.test(region))
    throw new RelayError('bad-reference', 'not the name of a bucket, or not a region');
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const url = serviceAddress(endpoint ?? `https://s3.${region}.${domain}`);
  const path = url.pathname.replace(/\/$/, '');
  return pathStyle ? `${url.origin}${path}/${bucket}` : `${url.protocol}//${bucket}.${url.host}${path}`;
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1');
}
