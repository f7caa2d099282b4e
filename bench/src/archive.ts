import { benchAge } from './archive/age.ts';
import { benchBackups } from './archive/backups.ts';
import { benchLongArchives } from './archive/long.ts';
import { benchParquet } from './archive/parquet.ts';
import { installPeers } from './peers.ts';
import type { BenchOptions, Row } from './rows.ts';

/** Archives: age files, tables, what programs for backups do with the same bytes, and long archives. */
export async function* benchArchive(options: BenchOptions): AsyncGenerator<Row[]> {
  installPeers();
  options.note('age files');
  yield* benchAge(options);
  options.note('Parquet');
  yield* benchParquet(options);
  yield* benchBackups(options);
  yield* benchLongArchives(options);
}
