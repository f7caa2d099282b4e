import { benchAge } from './archive/age.ts';
import { installPeers } from './peers.ts';
import type { BenchOptions, Row } from './rows.ts';

/** Archives: age files. */
export async function* benchArchive(options: BenchOptions): AsyncGenerator<Row[]> {
  installPeers();
  options.note('age files');
  yield* benchAge(options);
}
