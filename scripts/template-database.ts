import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One file for all tests of a run, in which the first relay leaves its empty database for the others. */
export async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-template-'));
  process.env['KEYTIDE_TEMPLATE_DATABASE'] = join(folder, 'empty.tar');
  return () => rm(folder, { recursive: true, force: true });
}
