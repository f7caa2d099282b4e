import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { ServiceCall } from './key-service.ts';

/** A caller that AWS knows. */
export interface AwsCaller {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/;
const MUST_BE_SIGNED = ['content-type', 'host', 'x-amz-date', 'x-amz-target'];
const MUST_BE_SIGNED_FOR_S3 = ['host', 'x-amz-content-sha256', 'x-amz-date'];
const TOLERANCE_MS = 900_000;

/** AWS's own check: the name of the error, or `null` for a good signature. Paths are signed as they are sent, as by S3. */
export function refusedSignature(
  { method, path: pathAndQuery, headers, body }: ServiceCall,
  caller: AwsCaller,
  { region, service, nowMs }: { readonly region: string; readonly service: string; readonly nowMs: number },
): string | null {
  const match = AUTHORIZATION.exec(headers['authorization'] ?? '');
  if (match === null) return 'MissingAuthenticationTokenException';
  const [, id = '', day = '', inRegion = '', inService = '', names = '', signature = ''] = match;
  if (id !== caller.accessKeyId || headers['x-amz-security-token'] !== caller.sessionToken)
    return 'UnrecognizedClientException';
  if (inRegion !== region || inService !== service) return 'InvalidSignatureException';
  const time = headers['x-amz-date'] ?? '';
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time)?.slice(1).map(Number);
  if (parts === undefined || !time.startsWith(day)) return 'IncompleteSignature';
  const [year = 0, month = 0, date = 0, hour = 0, minute = 0, second = 0] = parts;
  const sentMs = Date.UTC(year, month - 1, date, hour, minute, second);
  if (Math.abs(sentMs - nowMs) > TOLERANCE_MS) return 'InvalidSignatureException';
  const signed = names.split(';');
  const isS3 = service === 's3';
  const named = isS3 ? Object.keys(headers).filter((name) => name.startsWith('x-amz-')) : MUST_BE_SIGNED;
  const needed = [
    ...named,
    ...(isS3 ? MUST_BE_SIGNED_FOR_S3 : []),
    ...(caller.sessionToken === undefined ? [] : ['x-amz-security-token']),
  ];
  if (needed.some((name) => !signed.includes(name))) return 'InvalidSignatureException';
  const lines = signed.map((name) => `${name}:${headers[name] ?? ''}\n`).join('');
  const [path = '', query = ''] = pathAndQuery.split('?');
  if (isS3 && headers['x-amz-content-sha256'] !== sha256(body)) return 'XAmzContentSHA256Mismatch';
  const asked = [...new URLSearchParams(query)].map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
  const signedQuery = asked.toSorted().join('&');
  const canonical = `${method}\n${path}\n${signedQuery}\n${lines}\n${names}\n${sha256(body)}`;
  const scope = `${day}/${region}/${service}/aws4_request`;
  let key: Buffer = Buffer.from(`AWS4${caller.secretAccessKey}`);
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  const expected = createHmac('sha256', key)
    .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`)
    .digest();
  return timingSafeEqual(expected, Buffer.from(signature, 'hex')) ? null : 'InvalidSignatureException';
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
