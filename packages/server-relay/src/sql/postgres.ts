import pg from 'pg';
import { RelayError } from '../errors.ts';
import { addressNow, type Address } from './address.ts';
import { claimDatabase, type Claim } from './claim.ts';
import type { SqlDatabase, SqlRow, SqlRunner, SqlValue } from './database.ts';

const BYTEA = 17;
const INT8 = 20;

const CONNECTIONS = 8;

/**
 * Connects to PostgreSQL 14 or newer, as the only relay of that database or as one node of several. `url` as libpq
 * takes it; its password stays inside.
 * @param claimMs how long to wait for another relay that is just ending
 * @throws RelayError `database-failed` when nobody answers, `database-in-use`
 */
export async function openPostgres(
  url: Address,
  claimMs: number = 5_000,
  as: 'alone' | 'node' = 'alone',
): Promise<SqlDatabase> {
  return connect(url, await claimDatabase(url, claimMs, as));
}

/**
 * Connects beside a relay that may serve the database: for looking, and for ending sessions.
 * @throws RelayError `database-failed`, at the first query
 */
export function visitPostgres(url: Address): SqlDatabase {
  return connect(url, { assertHeld: () => undefined, release: () => Promise.resolve() });
}

function connect(url: Address, claim: Claim): SqlDatabase {
  class ClientOfNow extends pg.Client {
    constructor(config: pg.ClientConfig = {}) {
      super({ ...config, connectionString: addressNow(url) });
    }
  }
  const pool = new pg.Pool({
    Client: ClientOfNow,
    max: CONNECTIONS,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
  });
  // An idle connection that breaks is replaced by the next query; without a listener it ends the process.
  pool.on('error', () => undefined);
  return {
    connections: CONNECTIONS,
    async query(text, params) {
      claim.assertHeld();
      return run(pool, text, params);
    },
    async transaction(work) {
      claim.assertHeld();
      return transactionOn(await guarded(() => pool.connect()), work);
    },
    async close() {
      await pool.end();
      await claim.release();
    },
  };
}

async function transactionOn<T>(client: pg.PoolClient, work: (runner: SqlRunner) => Promise<T>): Promise<T> {
  let broken = false;
  const runner: SqlRunner = {
    query: (text, params) => run(client, text, params),
    script: async (text) => void (await guarded(() => client.query(text))),
  };
  try {
    await runner.script('begin');
    const result = await work(runner);
    await runner.script('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

// Every text here is a constant of this package, so each is prepared once a connection.
const names = new Map<string, string>();

async function run(
  target: pg.Pool | pg.PoolClient,
  text: string,
  params: readonly SqlValue[] = [],
): Promise<readonly SqlRow[]> {
  const name = names.get(text) ?? `keytide-${names.size}`;
  names.set(text, name);
  const result = await guarded(() => target.query({ name, text, values: [...params] }));
  return result.rows as SqlRow[];
}

async function guarded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new RelayError('database-failed', 'PostgreSQL refuses or does not answer', { cause });
  }
}

function parserOf(oid: number): (text: string) => unknown {
  if (oid === BYTEA) return bytesOfHex;
  if (oid === INT8) return Number;
  return pg.types.getTypeParser(oid);
}

function bytesOfHex(text: string): Uint8Array {
  const buffer = Buffer.from(text.slice(2), 'hex');
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
