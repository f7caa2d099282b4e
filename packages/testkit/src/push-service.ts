import { createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request that a push service got. */
export interface PushRequestSeen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * What a push service does with a request. `garbage` is not HTTP, `silence` no answer at all, `flood` an answer without
 * an end.
 */
export type PushReply =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | 'garbage'
  | 'silence'
  | 'hang-up'
  | 'flood';

/** A push service on loopback that does what a test says. */
export interface PushService {
  readonly origin: string;
  /** Every request so far, oldest first. */
  readonly seen: PushRequestSeen[];
  /** Answers the next requests. The default is 201 without a body. */
  reply: (request: PushRequestSeen) => PushReply;
  /** Resolves when there are so many requests; rejects after ten seconds. */
  until(count: number): Promise<void>;
  close(): Promise<void>;
}

const PATIENCE_MS = 10_000;

/** Starts one on a free port. */
export async function startPushService(): Promise<PushService> {
  const seen: PushRequestSeen[] = [];
  let wake: () => void = () => undefined;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const body = Buffer.concat(chunks).toString('utf8');
      const one = { method, path, headers, body };
      seen.push(one);
      give(response, service.reply(one));
      wake();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const service: PushService = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    reply: () => ({ status: 201 }),
    async until(count) {
      const deadline = Date.now() + PATIENCE_MS;
      while (seen.length < count) {
        if (Date.now() > deadline) throw new Error(`${seen.length} requests instead of ${count}`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 200);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return service;
}

function give(response: ServerResponse, reply: PushReply): void {
  const socket = response.socket as Socket;
  if (reply === 'silence') return;
  if (reply === 'hang-up') return void socket.destroy();
  if (reply === 'garbage') return void socket.end('\0\x01\x02 this is not HTTP\r\n\r\n');
  if (reply === 'flood') {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(16_384)));
    };
    response.on('drain', more);
    response.on('error', () => undefined);
    return more();
  }
  response.writeHead(reply.status, reply.headers).end(reply.body ?? '');
}

/**
 * Judges the `authorization` of a Web Push request as RFC 8292 §2 and §4 have it.
 * @throws Error what is wrong with it
 */
export function checkVapid(
  { headers }: PushRequestSeen,
  { publicKey, origin, nowMs }: { publicKey: Uint8Array; origin: string; nowMs: number },
): void {
  const [, token = '', key = ''] =
    /^vapid t=([\w-]+\.[\w-]+\.[\w-]+), k=([\w-]+)$/.exec(headers.authorization ?? '') ?? [];
  if (Buffer.compare(Buffer.from(key, 'base64url'), publicKey) !== 0) throw new Error('another key');
  const [head = '', claims = '', signature = ''] = token.split('.');
  const point = Buffer.from(key, 'base64url');
  const [x, y] = [point.subarray(1, 33).toString('base64url'), point.subarray(33).toString('base64url')];
  const jwk = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  const isSigned = verify(
    'sha256',
    Buffer.from(`${head}.${claims}`),
    { key: jwk, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
  if (!isSigned) throw new Error('not signed by that key');
  if (jsonOf(head)['alg'] !== 'ES256') throw new Error('another algorithm');
  const { aud, exp, sub } = jsonOf(claims);
  if (aud !== origin) throw new Error('for another service');
  const secondsLeft = Number(exp) - nowMs / 1000;
  if (!(secondsLeft > 0 && secondsLeft <= 86_400)) throw new Error('over, or good for too long');
  if (!/^(mailto:|https:)/.test(String(sub))) throw new Error('no way to reach the operator');
}

/**
 * Judges a signed webhook as its receiver has to (docs/spec/push.md).
 * @throws Error what is wrong with it
 */
export function checkWebhook(
  { headers, body }: PushRequestSeen,
  { secret, nowMs }: { secret: Uint8Array; nowMs: number },
): void {
  const time = String(headers['keytide-time']);
  const expected = `v1=${createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')}`;
  const given = Buffer.from(String(headers['keytide-signature']));
  if (given.length !== expected.length || !timingSafeEqual(given, Buffer.from(expected)))
    throw new Error('not signed with that secret');
  if (Math.abs(nowMs / 1000 - Number(time)) > 300) throw new Error('from another time');
}

function jsonOf(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
}
