import { openAsBlob } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { parentPort, threadId, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';

/** What the thread opens: a folder, or `memory://`, with what a file from `save` has where there is nothing yet. */
export interface WorkerStart {
  readonly dataDir: string;
  readonly template: string | null;
}

/** What the thread is asked: rows of one statement, a script, to save everything in a file, or to end. */
export type WorkerRequest =
  | {
      readonly id: number;
      readonly kind: 'query';
      readonly text: string;
      readonly params: readonly unknown[];
    }
  | { readonly id: number; readonly kind: 'script'; readonly text: string }
  | { readonly id: number; readonly kind: 'save'; readonly path: string }
  | { readonly id: number; readonly kind: 'close' };

/** What it answers. `message` is the database's own and stays in the process, as does its SQLSTATE. */
export type WorkerAnswer =
  | { readonly id: number; readonly rows: readonly Readonly<Record<string, unknown>>[] }
  | { readonly id: number; readonly message: string; readonly code: string };

const BYTEA = 17;
const INT8 = 20;
// Bytes go in as they are and come out by the fast decoder; PGlite's own way is a string per byte.
const OPTIONS = {
  serializers: { [BYTEA]: (bytes: Uint8Array) => bytes as unknown as string },
  parsers: { [BYTEA]: bytesOfHex, [INT8]: Number },
};

const port = parentPort;
if (port !== null) {
  const opening = open(workerData as WorkerStart);
  port.on('message', (request: WorkerRequest) => {
    opening
      .then((database) => answer(database, request))
      .then(
        (rows) => port.postMessage({ id: request.id, rows } satisfies WorkerAnswer),
        (error: unknown) =>
          port.postMessage({
            id: request.id,
            message: String(error),
            code: String((error as { code?: unknown }).code),
          } satisfies WorkerAnswer),
      );
  });
}

async function open({ dataDir, template }: WorkerStart): Promise<PGlite> {
  const loadDataDir = template === null ? {} : { loadDataDir: await openAsBlob(template) };
  return await PGlite.create({ dataDir, ...loadDataDir, ...OPTIONS });
}

/** Whole, or not there: others may do the same at this moment. */
async function save(database: PGlite, path: string): Promise<void> {
  const draft = `${path}.${process.pid}.${threadId}`;
  await writeFile(draft, (await database.dumpDataDir('none')).stream());
  await rename(draft, path);
}

async function answer(database: PGlite, request: WorkerRequest): Promise<Record<string, unknown>[]> {
  switch (request.kind) {
    case 'query':
      return (await database.query<Record<string, unknown>>(request.text, [...request.params])).rows;
    case 'script':
      await database.exec(request.text);
      return [];
    case 'save':
      await save(database, request.path);
      return [];
    case 'close':
      await database.close();
      return [];
  }
}

function bytesOfHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
}
