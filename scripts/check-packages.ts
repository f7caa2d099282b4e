/** Packs every package the way `npm publish` would, and checks what its users would get. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const bin = join(root, 'node_modules', '.bin');

const folder = await mkdtemp(join(tmpdir(), 'keytide-pack-'));
let failed = 0;
try {
  for (const name of await readdir(join(root, 'packages'))) {
    const packageFolder = join(root, 'packages', name);
    const manifest = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8'));
    const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: packageFolder,
    });
    const answer = JSON.parse(packed.stdout);
    const { filename } = Array.isArray(answer) ? answer[0] : Object.values(answer)[0];
    const tarball = join(folder, filename);
    failed += await check(`publint ${name}`, join(bin, 'publint'), [tarball, '--strict']);
    if (Object.keys(manifest.exports).length > 1) {
      failed += await check(`types   ${name}`, join(bin, 'attw'), [tarball, '--profile', 'esm-only']);
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;

async function check(title: string, command: string, args: readonly string[]): Promise<number> {
  try {
    await run(command, args, { cwd: root });
    console.log(`ok      ${title}`);
    return 0;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    console.log(`failed  ${title}\n${stdout}${stderr}`);
    return 1;
  }
}
