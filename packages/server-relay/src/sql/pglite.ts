import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { RelayError } from '../errors.ts';
import type { SqlDatabase, SqlRow, SqlRunner } from './database.ts';
import { lockFolder, type FolderLock } from './folder-lock.ts';
import type { WorkerAnswer, WorkerRequest } from './pglite-worker.ts';

type Ask = WorkerRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

/**
 * PostgreSQL compiled into the process (PGlite), in a thread of its own because a batch blocks for
 * milliseconds. One process, one folder. Survives the end of the process at any moment, but does not wait
 * for the disk: a power cut can lose what was acknowledged. `folder` null keeps everything in memory.
 * @throws RelayError `data-folder-locked`, `database-failed`
 */
export async function openPglite(folder: string | null): Promise<SqlDatabase> {
  if (folder === null) return await openIn('memory://', null);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(folder);
  const dataDir = join(folder, 'postgres');
  try {
    if (!existsSync(dataDir)) await createIn(dataDir);
  } catch (error) {
    await lock.release();
    throw error;
  }
  return await openIn(dataDir, lock);
}

/** Makes an empty database beside its place: whoever is killed meanwhile leaves none, rather than half of one. */
async function createIn(dataDir: string): Promise<void> {
  const draft = `${dataDir}.new`;
  await rm(draft, { recursive: true, force: true });
  const database = await openIn(draft, null);
  await database.close();
  await rename(draft, dataDir);
}

async function openIn(dataDir: string, lock: FolderLock | null): Promise<SqlDatabase> {
  const source = import.meta.url.endsWith('.ts') ? './pglite-worker.ts' : './pglite-worker.js';
  const thread = startThread(new Worker(new URL(source, import.meta.url), { workerData: dataDir }));
  const database = databaseOn(thread, lock);
  try {
    await database.query('select 1');
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

function databaseOn(thread: Thread, lock: FolderLock | null): SqlDatabase {
  const runner: SqlRunner = {
    query: (text, params = []) => thread.ask({ kind: 'query', text, params }),
    script: async (text) => void (await thread.ask({ kind: 'script', text })),
  };
  // There is one connection: a transaction keeps everybody else waiting.
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  }
  return {
    connections: 1,
    query: (text, params) => inTurn(() => runner.query(text, params)),
    transaction: (work) => inTurn(() => transactionOn(runner, work)),
    close: () =>
      inTurn(async () => {
        await thread.end();
        await lock?.release();
      }),
  };
}

async function transactionOn<T>(runner: SqlRunner, work: (runner: SqlRunner) => Promise<T>): Promise<T> {
  await runner.script('begin');
  try {
    const result = await work(runner);
    await runner.script('commit');
    return result;
  } catch (error) {
    await runner.script('rollback').catch(() => undefined);
    throw error;
  }
}

interface Thread {
  ask(request: Ask): Promise<readonly SqlRow[]>;
  end(): Promise<void>;
}

interface Asked {
  resolve(rows: readonly SqlRow[]): void;
  reject(error: RelayError): void;
}

function startThread(worker: Worker): Thread {
  const waiting = new Map<number, Asked>();
  let count = 0;
  let gone: RelayError | null = null;
  function fail(cause: unknown): void {
    gone ??= new RelayError('database-failed', 'the embedded database has stopped', { cause });
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
  }
  worker.on('error', fail);
  worker.on('exit', (code) => fail(new Error(`the thread ended with ${code}`)));
  worker.on('message', (answer: WorkerAnswer) => {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('rows' in answer) asked?.resolve(answer.rows);
    else
      asked?.reject(
        new RelayError('database-failed', 'the embedded database refuses', {
          cause: Object.assign(new Error(answer.message), { code: answer.code }),
        }),
      );
  });
  function ask(request: Ask): Promise<readonly SqlRow[]> {
    if (gone !== null) return Promise.reject(gone);
    count += 1;
    const id = count;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      worker.postMessage({ ...request, id });
    });
  }
  return {
    ask,
    async end() {
      await ask({ kind: 'close' }).catch(() => undefined);
      await worker.terminate();
    },
  };
}
