/** `npm run bench -- NAME [--json] [--quick] [--processor-time]` */
import { parseArgs } from 'node:util';
import { processorClock, wallClock } from './src/clock.ts';
import { benchArchive } from './src/archive.ts';
import { benchCrypto } from './src/crypto.ts';
import { benchDirectory } from './src/directory.ts';
import { benchLifecycle } from './src/lifecycle.ts';
import { benchPath } from './src/path.ts';
import { benchRelay } from './src/relay.ts';
import { printRows, type BenchOptions, type Row } from './src/rows.ts';

/** Rows come as soon as there are some, so that a bench which fails late does not lose them. */
const BENCHES: Record<string, (options: BenchOptions) => AsyncIterable<Row[]>> = {
  path: benchPath,
  crypto: benchCrypto,
  directory: benchDirectory,
  lifecycle: benchLifecycle,
  relay: benchRelay,
  archive: benchArchive,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    'processor-time': { type: 'boolean', default: false },
  },
});
const [name = ''] = positionals;
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
if (bench === undefined) {
  console.error(
    `usage: npm run bench -- NAME [--json] [--quick] [--processor-time]\nNAME: ${Object.keys(BENCHES).join(', ')}`,
  );
  process.exitCode = 2;
} else {
  const { json, quick } = values;
  const clock = values['processor-time'] ? processorClock : wallClock;
  const note = (text: string): void => (json ? undefined : console.log(text));
  for await (const rows of bench({ quick, clock, note })) printRows(rows, json);
}
