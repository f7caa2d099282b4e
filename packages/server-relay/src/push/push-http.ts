import { lookup as lookUp, type LookupAddress } from 'node:dns';
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Clock } from '../clock.ts';
import { isPublicAddress } from './public-address.ts';
import type { PushFailure } from './sender.ts';

/** Posts to where devices say, and to nothing that is not theirs to name (docs/spec/push.md, "Where to"). */
export interface PushHttp {
  /** Whether anything may be sent to this URL, as far as can be told without looking up its name. */
  allows(url: string): boolean;
  /** Posts, and reads at most 64 KiB of the answer. Follows no redirect. Never rejects. */
  post(url: string, request: PushRequest): Promise<PushAnswer | PushFailure>;
  close(): void;
}

/** What is posted. */
interface PushRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignal;
}

/** What was answered. */
export interface PushAnswer {
  readonly status: number;
  /** For so long the service asks to be left alone; 0 if it does not say. */
  readonly retryAfterMs: number;
  readonly body: string;
}

/** What `createPushHttp` works with. */
export interface PushHttpOptions {
  /** Origins that are allowed whatever they are, such as `http://127.0.0.1:9000`. */
  readonly allow: readonly string[];
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Finds the addresses of a name; for tests. */
  readonly lookup?: typeof lookUp;
}

const ANSWER_BYTES = 65_536;
const MAX_RETRY_AFTER_MS = 86_400_000;
const SOCKETS = { keepAlive: true, maxSockets: 16, maxFreeSockets: 4, timeout: 30_000 } as const;

/** @throws TypeError for an allowed origin that is none */
export function createPushHttp({ allow, timeoutMs, clock, lookup = lookUp }: PushHttpOptions): PushHttp {
  const allowed = new Set(allow.map(originOf));
  const plain = new http.Agent(SOCKETS);
  const secure = new https.Agent(SOCKETS);
  const publicLookup = publicOnly(lookup);

  return {
    allows: (url) => maySendTo(url, allowed),
    async post(url, { headers, body, signal }) {
      if (!maySendTo(url, allowed)) return 'push-blocked';
      const { protocol, origin } = new URL(url);
      const isSecure = protocol === 'https:';
      const options: https.RequestOptions = {
        method: 'POST',
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body ?? '')) },
        agent: isSecure ? secure : plain,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        ...(allowed.has(origin) ? {} : { lookup: publicLookup }),
      };
      try {
        const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
          const request = (isSecure ? https : http).request(url, options, resolve);
          request.on('error', reject);
          request.end(body ?? undefined);
        });
        const text = await readText(response);
        if (text === null) return 'push-refused';
        const retryAfterMs = retryAfterIn(response.headers['retry-after'], clock.now());
        return { status: response.statusCode ?? 0, retryAfterMs, body: text };
      } catch (error) {
        return error instanceof NotPublic ? 'push-blocked' : 'push-unreachable';
      }
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

/** Whether push may go to this URL, with these origins allowed, as far as can be told without looking up its name. */
export function maySendTo(text: string, allowed: ReadonlySet<string>): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return false;
  if (allowed.has(url.origin)) return true;
  // A push service has a name. An address would pass by the look-up, in which the others are refused.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return url.protocol === 'https:' && url.port === '' && isIP(host) === 0;
}

class NotPublic extends Error {}

/** Looks names up, and refuses those with any address that is not public. The connection goes to what was checked. */
function publicOnly(lookup: typeof lookUp): LookupFunction {
  return (name, options, done) => {
    lookup(name, { ...options, all: true }, (error, found: LookupAddress[]) => {
      const [first] = found ?? [];
      if (error !== null || first === undefined) return done(error ?? new NotPublic('no address'), '', 0);
      if (!found.every(({ address }) => isPublicAddress(address)))
        return done(new NotPublic('not a public address'), '', 0);
      if (options.all) done(null, found);
      else done(null, first.address, first.family);
    });
  };
}

/** `null` for more than an answer has. */
async function readText(response: http.IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    // Leaving the loop destroys the response.
    if (sizeBytes > ANSWER_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterIn(value: string | undefined, nowMs: number): number {
  if (value === undefined) return 0;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

function originOf(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.pathname !== '/')
    throw new TypeError('an origin that push may go to has a scheme, a host and a port');
  return url.origin;
}
