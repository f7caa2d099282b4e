/** `npm run bench -- NAME [--json] [--quick]` */
import { parseArgs } from 'node:util';
import { benchPath } from './src/path.ts';
import { printRows, type BenchOptions, type Row } from './src/rows.ts';

const BENCHES: Record<string, (options: BenchOptions) => Promise<Row[]>> = { path: benchPath };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
});
const [name = ''] = positionals;
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
if (bench === undefined) {
  console.error(`usage: npm run bench -- NAME [--json] [--quick]\nNAME: ${Object.keys(BENCHES).join(', ')}`);
  process.exitCode = 2;
} else {
  const { json, quick } = values;
  printRows(await bench({ quick, note: json ? () => {} : (text) => console.log(text) }), json);
}
