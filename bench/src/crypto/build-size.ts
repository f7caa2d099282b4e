import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { plainRow, type Row } from '../rows.ts';

/** A build as an app would ship it: one file, minified. */
export async function build(entry: string, platform: 'browser' | 'node', format: 'iife' | 'esm') {
  const bundled = await rolldown({
    input: fileURLToPath(new URL(entry, import.meta.url)),
    platform,
    resolve: { conditionNames: ['keytide-source', 'import', platform, 'default'] },
    logLevel: 'silent',
  });
  const { output } = await bundled.generate({ format, minify: true, codeSplitting: false });
  await bundled.close();
  return output[0].code;
}

/** Minified, and minified and compressed. */
export function sizeRows(name: string, code: string): Row[] {
  const work = { bench: 'crypto', n: 1, unit: 'KB', runtime: 'any' };
  return [
    plainRow({ ...work, work: `size of the ${name} build, minified` }, [code.length / 1_000]),
    plainRow({ ...work, work: `size of the ${name} build, minified and gzip` }, [
      gzipSync(code, { level: 9 }).length / 1_000,
    ]),
  ];
}
