import type { Context } from '../context.ts';
import { untilOnline, untilSettled, withDevice } from '../device.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { readFileBytes } from '../file-bytes.ts';
import { createProgress } from '../progress.ts';
import { parseRequestsCsv, type RefusedRow } from '../requests-csv.ts';

const MAX_FILE_BYTES = 64 * 1024 * 1024;
const SHOWN_ROWS = 50;

/** `keytide requests import`: reads the file, then seals every good row, then waits until the relay has all. */
export async function importRequests(context: Context, path: string): Promise<ExitCode> {
  const { output } = context;
  const { requests, refused } = parseRequestsCsv(
    await readFileBytes(path, MAX_FILE_BYTES, 'Split it into smaller files.'),
  );
  reportRefused(context, refused);
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const sealed = createProgress(output, 'sealed', process.stderr);
    await client.collections.requests.createMany(requests, ({ done, total }) => {
      context.signal.throwIfAborted();
      sealed(done, total);
    });
    const stored = createProgress(output, 'at relay', process.stderr);
    await untilSettled(context, client, () =>
      stored(Math.max(0, requests.length - client.waiting), requests.length),
    );
  });
  output.result({ event: 'imported', imported: requests.length, refused: refused.length }, [
    `requests imported: ${requests.length}, rows refused: ${refused.length}`,
  ]);
  return refused.length === 0 ? EXIT.ok : EXIT.rowsRefused;
}

function reportRefused({ output }: Context, refused: readonly RefusedRow[]): void {
  for (const row of refused) output.event({ event: 'row-refused', ...row } as { event: string });
  for (const { line, column, reason } of refused.slice(0, SHOWN_ROWS)) {
    output.note(`line ${line}: ${column === null ? '' : `${column} `}${reason}`);
  }
  if (refused.length > SHOWN_ROWS) output.note(`and ${refused.length - SHOWN_ROWS} more; --json lists all`);
}
