import type { FastifyInstance } from 'fastify';

/** Which web pages may talk to a relay. */
export interface Origins {
  /** Whether a request with this `Origin` is served: one without it comes from no page. */
  allows(origin: string | undefined): boolean;
}

const METHODS = 'GET, HEAD, POST, PUT, DELETE';
const HEADERS = 'authorization, content-type, range';
const REMEMBER_SECONDS = 600;

/**
 * The origins of this list, and the relay's own.
 * @throws TypeError for one that is not an origin as browsers send it, such as `https://app.example`
 */
export function createOrigins(list: readonly string[], relayName: () => string): Origins {
  for (const origin of list) {
    const isOrigin = /^https?:\/\/[^*]+$/.test(origin) && URL.canParse(origin);
    if (!isOrigin || new URL(origin).origin !== origin) throw new TypeError(`'${origin}' is not an origin`);
  }
  const allowed = new Set(list);
  // React Native names the relay itself as the origin of its sockets.
  return { allows: (origin) => origin === undefined || allowed.has(origin) || origin === relayName() };
}

/** Lets browsers show the answers to allowed pages, and to no other (the Fetch standard's CORS protocol). */
export function answerBrowsers(app: FastifyInstance, origins: Origins): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('vary', 'Origin');
    const { origin } = request.headers;
    if (origin === undefined || !origins.allows(origin)) return;
    void reply.header('access-control-allow-origin', origin);
    if (request.method !== 'OPTIONS') return;
    await reply
      .code(204)
      .header('access-control-allow-methods', METHODS)
      .header('access-control-allow-headers', HEADERS)
      .header('access-control-max-age', REMEMBER_SECONDS)
      .send();
  });
}
