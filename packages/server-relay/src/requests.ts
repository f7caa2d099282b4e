import type { FastifyInstance } from 'fastify';

/** The HTTP requests that a server has not answered yet. */
export interface Requests {
  /** From here on every answer asks its client to use another connection next time. */
  sendAway(): void;
  /** Resolves when every request has its answer, or has gone without one. */
  idle(): Promise<void>;
}

/** Counts the requests of a server without routes. */
export function watchRequests(app: FastifyInstance): Requests {
  let open = 0;
  let leaving = false;
  let waiting: (() => void)[] = [];
  app.addHook('onRequest', async (_request, reply) => {
    open += 1;
    reply.raw.once('close', () => {
      open -= 1;
      if (open > 0) return;
      const calls = waiting;
      waiting = [];
      for (const call of calls) call();
    });
    if (leaving) void reply.header('connection', 'close');
  });
  return {
    sendAway() {
      leaving = true;
    },
    async idle() {
      if (open > 0) await new Promise<void>((resolve) => waiting.push(resolve));
    },
  };
}
