import { RelayError } from '../errors.ts';
import type { Address } from './address.ts';
import { loneClient, type LoneClient } from './lone-client.ts';

/** The right to serve a PostgreSQL database. */
export interface Claim {
  /** @throws RelayError `database-in-use` while the claim is lost */
  assertHeld(): void;
  release(): Promise<void>;
}

/** Any number, the same in every version of this software. */
const ADVISORY_LOCK = 5_384_732_912;
const RETRY_MS = 250;

/**
 * Claims the database by a lock that PostgreSQL keeps for as long as our connection lives: a relay that dies lets go
 * at once. A relay that is alone does not hear of what others do, so it shares with nobody; nodes of a cluster share
 * with each other. A claim that is lost with the connection (PostgreSQL restarts) is made again in the background;
 * until then nothing is answered.
 * @param waitMs how long to wait for another relay that is just ending
 * @throws RelayError `database-in-use`, `database-failed`
 */
export async function claimDatabase(
  url: Address,
  waitMs: number,
  as: 'alone' | 'node',
  answerMs: number,
): Promise<Claim> {
  const lock = as === 'alone' ? 'pg_try_advisory_lock' : 'pg_try_advisory_lock_shared';
  let holder: LoneClient | null = null;
  let released = false;

  async function attempt(): Promise<void> {
    const lone = loneClient(url, answerMs);
    const { client } = lone;
    client.on('error', () => lose(lone));
    client.on('end', () => lose(lone));
    try {
      await client.connect();
      const { rows } = await client.query(`select ${lock}($1) as held`, [ADVISORY_LOCK]);
      if (rows[0].held !== true)
        throw new RelayError('database-in-use', 'another relay serves this database');
      holder = lone;
    } catch (cause) {
      await lone.end();
      if (cause instanceof RelayError) throw cause;
      throw new RelayError('database-failed', 'PostgreSQL refuses or does not answer', { cause });
    }
  }

  function lose(lone: LoneClient): void {
    if (holder !== lone) return;
    holder = null;
    if (!released) void reclaim();
  }

  async function reclaim(): Promise<void> {
    while (!released && holder === null) {
      await attempt().catch(() => pause());
    }
    if (released) await holder?.end();
  }

  const deadline = Date.now() + waitMs;
  while (holder === null) {
    await attempt().catch((error: RelayError) => {
      if (error.code !== 'database-in-use' || Date.now() >= deadline) throw error;
      return pause();
    });
  }
  return {
    assertHeld() {
      if (holder === null) throw new RelayError('database-in-use', 'the claim on the database was lost');
    },
    async release() {
      released = true;
      const last = holder;
      holder = null;
      await last?.end();
    },
  };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS));
}
