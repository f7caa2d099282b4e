import { Buffer } from 'node:buffer';
import { asciiBytes, concatBytes, toHex } from '../bytes.ts';
import type { Primitives } from '../primitives.ts';
import type { Secret } from '../secret.ts';
import { encodeUtf8 } from '../utf8.ts';

/** What a request to AWS is signed with. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  /** Text. */
  readonly secretAccessKey: Secret;
  /** Text that travels with each request made with credentials for a while; `null` for lasting ones. */
  readonly sessionToken: Secret | null;
}

/** Where and when a request is made. */
export interface SigningScope {
  readonly region: string;
  readonly service: string;
  readonly nowMs: number;
}

/** A request as it will be sent. Its path has only unreserved characters, slashes, and what is percent-encoded. */
export interface SignedRequest {
  readonly method: string;
  readonly url: URL;
  /** All of them are signed, and `host` with them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/**
 * AWS Signature Version 4: all headers to send. The signature covers method, path, query, headers and the body's
 * hash, which S3 has in a header besides, and is good for 15 minutes around `nowMs` in one region and service.
 */
export function signAwsRequest(
  primitives: Primitives,
  { accessKeyId, secretAccessKey, sessionToken }: AwsCredentials,
  { region, service, nowMs }: SigningScope,
  { method, url, headers, body }: SignedRequest,
): Record<string, string> {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  const sent: Record<string, string> = { ...headers, 'x-amz-date': time };
  const bodyHash = toHex(primitives.sha256(body));
  if (service === 's3') sent['x-amz-content-sha256'] = bodyHash;
  if (sessionToken !== null) sent['x-amz-security-token'] = textIn(sessionToken);
  const signed = Object.entries({ ...sent, host: url.host })
    .map(([name, value]) => [name.toLowerCase(), value.trim().replace(/ +/g, ' ')] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const hash = (text: string): string => toHex(primitives.sha256(bytesOf(text)));
  const canonical = hash(
    [
      method,
      url.pathname,
      canonicalQuery(url.search),
      ...signed.map(([name, value]) => `${name}:${value}`),
      '',
      names,
      bodyHash,
    ].join('\n'),
  );
  const scope = [time.slice(0, 8), region, service, 'aws4_request'];
  let key = secretAccessKey.use((secret) => concatBytes(asciiBytes('AWS4'), secret));
  for (const part of scope) {
    const next = primitives.hmacSha256(key, bytesOf(part));
    key.fill(0);
    key = next;
  }
  const toSign = [ALGORITHM, time, scope.join('/'), canonical].join('\n');
  const signature = toHex(primitives.hmacSha256(key, bytesOf(toSign)));
  key.fill(0);
  const credential = [accessKeyId, ...scope].join('/');
  const authorization = `${ALGORITHM} Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...sent, authorization };
}

/** Names and values encoded once, by RFC 3986, in the order of their encoded names and then values. */
function canonicalQuery(search: string): string {
  if (search === '') return '';
  const encode = (text: string): string =>
    encodeURIComponent(decodeURIComponent(text)).replace(
      /[!'()*]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return search
    .slice(1)
    .split('&')
    .map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? [encode(pair), ''] : [encode(pair.slice(0, at)), encode(pair.slice(at + 1))];
    })
    .toSorted(([a = '', x = ''], [b = '', y = '']) => (a === b ? order(x, y) : order(a, b)))
    .map((pair) => pair.join('='))
    .join('&');
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function textIn(secret: Secret): string {
  return secret.use((bytes) => Buffer.from(bytes).toString('latin1'));
}

function bytesOf(text: string): Uint8Array {
  return encodeUtf8(text) ?? new Uint8Array(0);
}
