import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';

/** What the thread is asked: rows of one statement, a script, or to end. */
export type WorkerRequest =
  | {
      readonly id: number;
      readonly kind: 'query';
      readonly text: string;
      readonly params: readonly unknown[];
    }
  | { readonly id: number; readonly kind: 'script'; readonly text: string }
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
  const opening = PGlite.create({ dataDir: workerData as string, ...OPTIONS });
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

async function answer(database: PGlite, request: WorkerRequest): Promise<Record<string, unknown>[]> {
  switch (request.kind) {
    case 'query':
      return (await database.query<Record<string, unknown>>(request.text, [...request.params])).rows;
    case 'script':
      await database.exec(request.text);
      return [];
    case 'close':
      await database.close();
      return [];
  }
}

function bytesOfHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
}
