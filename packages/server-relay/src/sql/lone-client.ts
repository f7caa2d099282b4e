import { Socket } from 'node:net';
import pg from 'pg';
import { addressNow, type Address } from './address.ts';

/** A connection to PostgreSQL that is kept for its own sake: for a lock, or to listen. */
export interface LoneClient {
  readonly client: pg.Client;
  /** Ends it, in good order if PostgreSQL still answers. */
  end(): Promise<void>;
}

const CONNECT_MS = 10_000;
const END_MS = 1_000;

/** Not connected yet. `answerMs` is how long a statement may take, and its answer. */
export function loneClient(url: Address, answerMs: number): LoneClient {
  const socket = new Socket();
  const client = new pg.Client({
    connectionString: addressNow(url),
    stream: () => socket,
    keepAlive: true,
    ...answeringWithin(answerMs),
  });
  return {
    client,
    async end() {
      // Who waits for a goodbye of a database that hangs waits for ever.
      const timer = setTimeout(() => socket.destroy(), END_MS);
      await client.end().catch(() => undefined);
      clearTimeout(timer);
    },
  };
}

/**
 * How long a connection waits: PostgreSQL gives a statement up first, so that the connection can go on; if it does not
 * answer at all, the connection is given up.
 */
export function answeringWithin(
  answerMs: number,
): Required<Pick<pg.PoolConfig, 'connectionTimeoutMillis' | 'statement_timeout' | 'query_timeout'>> {
  return {
    connectionTimeoutMillis: Math.min(CONNECT_MS, answerMs),
    statement_timeout: answerMs,
    query_timeout: answerMs + 1_000,
  };
}
