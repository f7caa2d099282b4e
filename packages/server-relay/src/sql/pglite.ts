import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { RelayError } from '../errors.ts';
import type { SqlDatabase, SqlRow, SqlRunner } from './database.ts';
import { lockFolder, type FolderLock } from './folder-lock.ts';
import type { WorkerAnswer, WorkerRequest, WorkerStart } from './pglite-worker.ts';

type Ask = WorkerRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

const IN_MEMORY = 'memory://';

/**
 * PostgreSQL compiled into the process (PGlite), in a thread of its own because a batch blocks for
 * milliseconds. One process, one folder. Survives the end of the process at any moment, but does not wait
 * for the disk: a power cut can lose what was acknowledged. A new one begins with what is in the file `template`, if that
 * is there.
 * @throws RelayError `data-folder-locked`, `database-failed`
 */
export async function openPglite(folder: string, template: string | null = null): Promise<SqlDatabase> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(folder);
  const dataDir = join(folder, 'postgres');
  try {
    if (!existsSync(dataDir)) await createIn(dataDir, template);
  } catch (error) {
    await lock.release();
    throw error;
  }
  return await openIn({ dataDir, template: null }, lock);
}

/**
 * The same, in memory alone. Begins with what is in the file `template`; when that is not there, with nothing, and what
 * `prepare` makes of it is saved there, if there is such a thing.
 * @throws RelayError `database-failed`
 */
export async function openInMemory(
  template: string | null,
  prepare: ((database: SqlDatabase) => Promise<unknown>) | null,
): Promise<SqlDatabase> {
  const found = existing(template);
  const thread = startThread({ dataDir: IN_MEMORY, template: found });
  const database = databaseOn(thread, null);
  try {
    if (template === null || found !== null || prepare === null) await database.query('select 1');
    else {
      await prepare(database);
      await thread.ask({ kind: 'save', path: template });
    }
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

function existing(template: string | null): string | null {
  return template !== null && existsSync(template) ? template : null;
}

/** Makes an empty database beside its place: whoever is killed meanwhile leaves none, rather than half of one. */
async function createIn(dataDir: string, template: string | null): Promise<void> {
  const draft = `${dataDir}.new`;
  await rm(draft, { recursive: true, force: true });
  const database = await openIn({ dataDir: draft, template: existing(template) }, null);
  await database.close();
  await rename(draft, dataDir);
}

async function openIn(start: WorkerStart, lock: FolderLock | null): Promise<SqlDatabase> {
  const thread = startThread(start);
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
    transaction: (work) => inTurn(() => transactionOn(runner, thread, work)),
    close: () =>
      inTurn(async () => {
        await thread.end();
        await lock?.release();
      }),
  };
}

async function transactionOn<T>(
  runner: SqlRunner,
  thread: Pick<Thread, 'lost'>,
  work: (runner: SqlRunner) => Promise<T>,
): Promise<T> {
  let failure: unknown = null;
  const lost = thread.lost();
  /** What follows a failure may be asked of another thread, which knows nothing of this transaction. */
  async function whole<R>(ask: () => Promise<R>): Promise<R> {
    if (failure === null && thread.lost() !== lost)
      failure = new RelayError('database-failed', 'the embedded database has stopped');
    if (failure !== null) throw failure;
    try {
      return await ask();
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  await runner.script('begin');
  try {
    const result = await work({
      query: (text, params) => whole(() => runner.query(text, params)),
      script: (text) => whole(() => runner.script(text)),
    });
    await whole(() => runner.script('commit'));
    return result;
  } catch (error) {
    await runner.script('rollback').catch(() => undefined);
    throw error;
  }
}

interface Thread {
  ask(request: Ask): Promise<readonly SqlRow[]>;
  /** How many were given up: what began on one is not to go on on another. */
  lost(): number;
  end(): Promise<void>;
}

interface Asked {
  resolve(rows: readonly SqlRow[]): void;
  reject(error: RelayError): void;
}

/** After a start that failed, the next one waits. */
const RESTART_MS = 500;
/** Classes of SQLSTATE after which the database is not to be trusted: no room, the system failed it, or itself. */
const BROKEN = /^(?:53|58|XX)/;

/**
 * The thread of a database. It is given up when it ends, and when its database says that it could not write, or says
 * nothing that a PostgreSQL says: such a one may never answer again. What comes next is asked of a new thread, which
 * recovers the folder as after a crash; a database in memory is kept as it is, or gone.
 */
function startThread(start: WorkerStart): Thread {
  const { dataDir } = start;
  const waiting = new Map<number, Asked>();
  let count = 0;
  let lost = 0;
  let worker: Worker | null = spawn();
  let ending: Promise<unknown> = Promise.resolve();
  let isOver = false;

  function spawn(): Worker {
    const source = import.meta.url.endsWith('.ts') ? './pglite-worker.ts' : './pglite-worker.js';
    const fresh = new Worker(new URL(source, import.meta.url), { workerData: start });
    fresh.on('error', (cause) => giveUp(fresh, cause));
    fresh.on('exit', (code) => giveUp(fresh, new Error(`the thread ended with ${code}`)));
    fresh.on('message', (answer: WorkerAnswer) => {
      const asked = waiting.get(answer.id);
      waiting.delete(answer.id);
      if ('rows' in answer) return asked?.resolve(answer.rows);
      const cause = Object.assign(new Error(answer.message), { code: answer.code });
      if (dataDir !== IN_MEMORY && (answer.code.length !== 5 || BROKEN.test(answer.code)))
        giveUp(fresh, cause);
      asked?.reject(new RelayError('database-failed', 'the embedded database refuses', { cause }));
    });
    return fresh;
  }

  function giveUp(given: Worker, cause: unknown): void {
    if (worker !== given) return;
    worker = null;
    lost += 1;
    ending = given.terminate().then(() => new Promise((resolve) => setTimeout(resolve, RESTART_MS)));
    for (const { reject } of waiting.values())
      reject(new RelayError('database-failed', 'the embedded database has stopped', { cause }));
    waiting.clear();
  }

  async function ask(request: Ask): Promise<readonly SqlRow[]> {
    if (worker === null) {
      if (isOver || dataDir === IN_MEMORY)
        throw new RelayError('database-failed', 'the embedded database has stopped');
      await ending;
      worker ??= spawn();
    }
    const asked = worker;
    count += 1;
    const id = count;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      asked.postMessage({ ...request, id });
    });
  }

  return {
    ask,
    lost: () => lost,
    async end() {
      isOver = true;
      const last = worker;
      if (last === null) return void (await ending);
      await ask({ kind: 'close' }).catch(() => undefined);
      worker = null;
      await last.terminate();
    },
  };
}
