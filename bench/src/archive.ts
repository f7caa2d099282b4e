import { benchAge } from './archive/age.ts';
import { benchParquet } from './archive/parquet.ts';
import { installPeers } from './peers.ts';
import type { BenchOptions, Row } from './rows.ts';

/** Archives: age files, tables. */
export async function* benchArchive(options: BenchOptions): AsyncGenerator<Row[]> {
  installPeers();
  options.note('age files');
  yield* benchAge(options);
  options.note('Parquet');
  yield* benchParquet(options);
}
