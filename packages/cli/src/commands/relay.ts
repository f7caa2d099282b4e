import { join, resolve } from 'node:path';
import { startRelay } from '@keytide/server-relay';
import type { Context } from '../context.ts';
import { patiently } from '../patience.ts';
import { jsonLine } from '../terminal-text.ts';

/** Options of `keytide relay`. */
export interface RelayOptions {
  readonly data: string;
  readonly database?: string;
  readonly keyFile?: string;
  readonly host: string;
  readonly port: number;
  readonly publicUrl?: string;
  readonly origin?: readonly string[];
}

/** `keytide relay`: runs the relay until Ctrl-C or SIGTERM; before it listens those break it off. Its log is JSON lines: on stderr, with `--json` on stdout. */
export async function runRelay(context: Context, options: RelayOptions): Promise<void> {
  const { output, signal } = context;
  const { host, port, publicUrl } = options;
  // Either may hold a password: neither is ever printed.
  const url = options.database ?? process.env['KEYTIDE_DATABASE'];
  delete process.env['KEYTIDE_DATABASE'];
  const folder = resolve(options.data);
  const keyFile = resolve(options.keyFile ?? join(folder, 'relay-key'));
  const log = output.json ? process.stdout : process.stderr;
  const starting = startRelay({
    database: url === undefined ? { kind: 'pglite', folder } : { kind: 'postgres', url, keyFile },
    host,
    port,
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(options.origin === undefined ? {} : { origins: options.origin }),
    log: (event) => {
      log.write(`${jsonLine(event)}\n`);
    },
  });
  // A start that is broken off leaves nothing that the next one cannot take over, as after a crash.
  const relay = await patiently(starting, { timeoutMs: Infinity, signal, progress: () => null });
  if (!output.json) {
    const where = url === undefined ? `data in ${folder}` : 'data in PostgreSQL';
    output.result({}, [`relay at ${relay.url}, ${where}; Ctrl-C ends it`]);
  }
  if (!signal.aborted) await new Promise((end) => signal.addEventListener('abort', end, { once: true }));
  await relay.close();
}
