import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { comparedRow, plainRow, type BenchOptions, type Row } from '../rows.ts';
import { apart, type Took } from './apart.ts';

const LIMIT_MB = 300;
const MEGABYTE = 1_000_000;

/** From one archive to another, end to end, and verified with its key: how fast, and in how much memory. */
export async function* benchLongArchives({ quick, note }: BenchOptions): AsyncGenerator<Row[]> {
  for (const messages of quick ? [10_000] : [10_000, 100_000, 1_000_000]) {
    note(`archives of ${messages.toLocaleString('en')} messages`);
    const home = await mkdtemp(join(tmpdir(), 'keytide-bench-archive-'));
    const [from, folder] = [join(home, 'from'), join(home, 'to')];
    try {
      await apart({ act: 'make', folder: from, messages, attachments: [] });
      const exported = await apart({ act: 'export', folder, from });
      yield rowsOf('export an archive', messages, exported);
      yield rowsOf('verify with the key', messages, await apart({ act: 'verify', folder, isOpened: true }));
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  }
}

function rowsOf(work: string, n: number, { ms, sizeBytes, peakBytes }: Took): Row[] {
  const row = (unit: string, value: number): Row => plainRow({ bench: 'archive', work, n, unit }, [value]);
  const peakMb = peakBytes / MEGABYTE;
  return [
    row('messages/s', n / (ms / 1_000)),
    row('MB/s', sizeBytes / MEGABYTE / (ms / 1_000)),
    comparedRow(row('MB at most', peakMb), `${LIMIT_MB} MB`, LIMIT_MB / peakMb, 1),
  ];
}
