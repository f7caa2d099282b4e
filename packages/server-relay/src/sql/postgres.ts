import pg from 'pg';
import { RelayError } from '../errors.ts';
import { addressNow, type Address } from './address.ts';
import { claimDatabase, type Claim } from './claim.ts';
import type { SqlDatabase, SqlRow, SqlRunner, SqlValue } from './database.ts';
import { answeringWithin } from './lone-client.ts';
import { sqlStateOf } from './sql-state.ts';

const BYTEA = 17;
const INT8 = 20;

const CONNECTIONS = 8;

/** How long PostgreSQL may take for a statement. */
const ANSWER_MS = 15_000;
/** The same for a script, which may be a migration of a large database. */
const SCRIPT_MS = 3_600_000;

/**
 * Connects to PostgreSQL 14 or newer, as the only relay of that database or as one node of several. `url` as libpq
 * takes it; its password stays inside.
 * @param claimMs how long to wait for another relay that is just ending
 * @param answerMs how long a statement may take; then it is `database-failed`, and its outcome unknown
 * @throws RelayError `database-failed` when nobody answers, `database-in-use`
 */
export async function openPostgres(
  url: Address,
  claimMs: number = 5_000,
  as: 'alone' | 'node' = 'alone',
  answerMs: number = ANSWER_MS,
): Promise<SqlDatabase> {
  return connect(url, await claimDatabase(url, claimMs, as, answerMs), answerMs);
}

/**
 * Connects beside a relay that may serve the database: for looking, and for ending sessions.
 * @throws RelayError `database-failed`, at the first query
 */
export function visitPostgres(url: Address): SqlDatabase {
  return connect(url, { assertHeld: () => undefined, release: () => Promise.resolve() }, ANSWER_MS);
}

function connect(url: Address, claim: Claim, answerMs: number): SqlDatabase {
  class ClientOfNow extends pg.Client {
    constructor(config: pg.ClientConfig = {}) {
      super({ ...config, connectionString: addressNow(url) });
    }
  }
  const pool = new pg.Pool({
    Client: ClientOfNow,
    max: CONNECTIONS,
    keepAlive: true,
    ...answeringWithin(answerMs),
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
    async script(text) {
      const patient = {
        text: `set local statement_timeout = ${SCRIPT_MS}; ${text}`,
        query_timeout: SCRIPT_MS,
      };
      await guarded(() => client.query(patient));
    },
  };
  try {
    await guarded(() => client.query('begin'));
    const result = await work(runner);
    await guarded(() => client.query('commit'));
    return result;
  } catch (error) {
    // Who did not answer is not asked again: PostgreSQL rolls back what has lost its client.
    broken = error instanceof RelayError && error.code === 'database-failed' && sqlStateOf(error) === null;
    if (!broken)
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
