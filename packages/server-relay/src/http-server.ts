import type { AddressInfo } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { ErrorBody } from '@keytide/relay-protocol';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { RelayError, type RelayErrorCode } from './errors.ts';
import type { Log } from './log-event.ts';
import type { RelayLimits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import type { TlsPair } from './tls-files.ts';

/** 64 KiB of entry as base64url, and its JSON. */
const BODY_BYTES = 98_304;

const HANDSHAKE_MS = 10_000;

const STATUS: Partial<Record<RelayErrorCode, number>> = {
  malformed: 400,
  'unsupported-version': 400,
  'login-refused': 401,
  'wrong-proof': 401,
  'identity-required': 401,
  'session-ended': 401,
  'not-a-member': 403,
  'wrong-author': 403,
  'not-found': 404,
  'unknown-group': 404,
  'no-box': 404,
  'no-share': 404,
  'no-pre-keys': 404,
  'no-checkpoint': 404,
  'unknown-request': 404,
  'timeline-changed': 409,
  'wrong-group': 409,
  'no-blob': 404,
  'head-moved': 409,
  'message-id-reused': 409,
  'record-refused': 409,
  'version-conflict': 409,
  'quota-exceeded': 409,
  'blob-taken': 409,
  'wrong-offset': 409,
  'too-large': 413,
  'entry-refused': 422,
  'not-a-recipient': 422,
  'push-refused': 422,
  'rate-limited': 429,
};

/** The status that goes with a code: 503 for what is the relay's own trouble. */
export function statusOf(code: RelayErrorCode): number {
  return STATUS[code] ?? 503;
}

/** What `createHttpServer` works with. Without `tls` it speaks plain HTTP. */
interface HttpServerOptions {
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'refused'>;
  readonly tls: TlsPair | null;
  readonly trustedProxies: number;
  readonly limits: Pick<RelayLimits, 'requestMs'>;
}

/** An HTTP server without routes: JSON errors, limits, and no log of its own, so none can hold a token. */
export function createHttpServer({
  log,
  metrics,
  tls,
  trustedProxies,
  limits,
}: HttpServerOptions): FastifyInstance {
  // Node swaps the two when less time is given to all than to the headers, and looks every 30 seconds unless told.
  const http = { headersTimeout: limits.requestMs, connectionsCheckingInterval: limits.requestMs / 4 };
  const app = Fastify({
    ...(tls === null ? { http } : {}),
    https: tls === null ? null : { ...http, ...tls, handshakeTimeout: HANDSHAKE_MS },
    logger: false,
    trustProxy: (_address: string, hop: number) => hop < trustedProxies,
    bodyLimit: BODY_BYTES,
    requestTimeout: limits.requestMs,
    connectionTimeout: 60_000,
    keepAliveTimeout: 30_000,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 64 },
    // What no route is looked for: a path that cannot be decoded, or with too long a part.
    frameworkErrors(_error, _request, reply) {
      metrics.refused('malformed');
      const body: ErrorBody = { code: 'malformed', message: 'no path of this protocol' };
      // Its types do not know of errors without a route.
      void (reply as unknown as FastifyReply).code(400).send(body);
    },
    // Bad HTTP gets no answer of its own making: whoever speaks it is not a client of ours.
    clientErrorHandler: (_error, socket) => void socket.destroy(),
  });
  // Tokens, shares and logs are for whoever asked: no cache on the way keeps one, and no browser shows an old poll.
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.header('cache-control', 'no-store');
    done();
  });
  app.setNotFoundHandler((_request, reply) => {
    metrics.refused('not-found');
    void reply.code(404).send({ code: 'not-found', message: 'no such route' } satisfies ErrorBody);
  });
  app.setErrorHandler((error, _request, reply) => {
    const refusal = refusalOf(error);
    const status = statusOf(refusal.code);
    if (status === 503) log({ event: 'failed', where: 'http', code: refusal.code });
    const body: ErrorBody = {
      code: status === 503 ? 'unavailable' : refusal.code,
      message: refusal.message,
      ...(refusal.size === null ? {} : { size: refusal.size }),
      ...(refusal.reason === null ? {} : { reason: refusal.reason }),
    };
    metrics.refused(body.code);
    void reply.code(status).send(body);
  });
  return app;
}

/** The URL at which it now listens. @throws RelayError `address-in-use` */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new RelayError('address-in-use', `port ${port} of ${host} is taken`, { cause });
  }
  const { address, family, port: actual } = app.server.address() as AddressInfo;
  const scheme = isTls(app.server) ? 'https' : 'http';
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${actual}`;
}

/** Takes another certificate for the connections from now on. */
export function useTls({ server }: FastifyInstance, tls: TlsPair): void {
  if (isTls(server)) server.setSecureContext(tls);
}

/** Fastify's types know plain HTTP only. */
function isTls(server: object): server is TlsServer {
  return server instanceof TlsServer;
}

/** What went wrong in words that may leave the process. */
function refusalOf(error: unknown): RelayError {
  if (error instanceof RelayError && error.code in STATUS) return error;
  if (error instanceof RelayError) return new RelayError(error.code, 'the relay cannot answer now');
  const status = (error as { statusCode?: unknown }).statusCode;
  if (status === 413) return new RelayError('too-large', 'the body is too large');
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new RelayError('malformed', 'not a request of this protocol');
  return new RelayError('unavailable', 'the relay cannot answer now');
}
