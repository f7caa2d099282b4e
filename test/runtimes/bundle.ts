import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/** One script of a module and all it imports, from sources, as an app's bundler would make it. */
export async function bundle(entry: URL, format: 'iife' | 'esm'): Promise<string> {
  const build = await rolldown({
    input: fileURLToPath(entry),
    platform: 'browser',
    resolve: { conditionNames: ['keytide-source', 'import', 'browser', 'default'] },
    logLevel: 'silent',
  });
  const { output } = await build.generate({ format, codeSplitting: false });
  await build.close();
  return output[0].code;
}
