import type { Primitives, Random } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom, signAwsRequest, type AwsCredentials } from '@keytide/crypto-core/node';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { RelayError } from '../errors.ts';
import {
  CALL_LIMITS,
  callService,
  jsonOf,
  persist,
  serviceAddress,
  serviceFailed,
  serviceRefused,
  type CallLimits,
} from './service-call.ts';

/** How AWS is reached. */
export interface AwsAccess {
  /** Asked before each request, so that credentials for a while can follow one another. */
  readonly credentials: () => Promise<AwsCredentials>;
  /** Where it differs from AWS's own, as that of a private endpoint. */
  readonly endpoint?: string;
  readonly clock?: Clock;
  readonly primitives?: Primitives;
  readonly random?: Random;
  readonly limits?: CallLimits;
}

/** A service of AWS that speaks JSON 1.1, in one region. `target` is such as `TrentService.Encrypt`. */
export type AwsService = (target: string, request: object) => Promise<unknown>;

/** What comes and goes by itself. */
const PASSING = new Set([
  'ThrottlingException',
  'Throttling',
  'TooManyRequestsException',
  'RequestLimitExceeded',
  'KMSInternalException',
  'DependencyTimeoutException',
  'KeyUnavailableException',
  'InternalServiceError',
  'InternalFailure',
  'ServiceUnavailable',
  'ServiceUnavailableException',
  'RequestTimeout',
]);
/** What needs somebody. Other names are not repeated: they are text of the service. */
const LASTING = new Set([
  'AccessDeniedException',
  'DecryptionFailure',
  'DisabledException',
  'ExpiredTokenException',
  'IncompleteSignature',
  'IncorrectKeyException',
  'InvalidCiphertextException',
  'InvalidKeyUsageException',
  'InvalidParameterException',
  'InvalidRequestException',
  'InvalidSignatureException',
  'KMSInvalidStateException',
  'MissingAuthenticationTokenException',
  'NotFoundException',
  'ResourceNotFoundException',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
  'ValidationException',
]);
const refusal = z.object({ __type: z.string() });
const REGION = /^[a-z]{2,8}(-[a-z]{1,12}){1,3}-\d{1,2}$/;

/**
 * Calls are signed for this service and region, and repeated while what fails may pass.
 * @throws RelayError `bad-reference` for a region or endpoint that is none; calls throw `key-service-failed`, or
 * `key-service-refused` with the name of AWS's error as its reason
 */
export function awsService(access: AwsAccess, service: string, region: string): AwsService {
  if (!REGION.test(region)) throw new RelayError('bad-reference', 'not a region of AWS');
  const { clock = { now: () => Date.now() }, limits = CALL_LIMITS } = access;
  const { primitives = nodePrimitives, random = nodeRandom } = access;
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const url = serviceAddress(access.endpoint ?? `https://${service}.${region}.${domain}/`);

  async function attempt(target: string, body: Uint8Array): Promise<unknown> {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target };
    const credentials = await access.credentials();
    const scope = { region, service, nowMs: clock.now() };
    const request = { method: 'POST', url, headers, body } as const;
    const signed = signAwsRequest(primitives, credentials, scope, request);
    const answer = await callService(url, { method: 'POST', headers: signed, body }, limits.timeoutMs);
    if (answer.status === 200) return jsonOf(answer.body);
    const name = errorName(answer.body);
    if (name !== null && PASSING.has(name)) throw serviceFailed(name);
    throw serviceRefused(name !== null && LASTING.has(name) ? name : `http-${answer.status}`);
  }

  return (target, request) => {
    const body = Buffer.from(JSON.stringify(request));
    return persist(limits, random, () => attempt(target, body)).finally(() => body.fill(0));
  };
}

/** `__type` is the name, or `namespace#Name`, or has `:http://…` behind it. */
function errorName(body: Uint8Array): string | null {
  const parsed = refusal.safeParse(jsonOf(body));
  if (!parsed.success) return null;
  return (parsed.data.__type.split('#').at(-1) as string).split(':')[0] as string;
}
