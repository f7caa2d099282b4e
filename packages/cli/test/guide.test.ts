import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT_MEANINGS } from '../src/exit-codes.ts';

const GUIDE = fileURLToPath(new URL('../../../docs/guides/cli.md', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../bin/keytide.js', import.meta.url));

let folder: string;
let relay: Relay;
let guide: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-guide-'));
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  guide = await readFile(GUIDE, 'utf8');
});

afterAll(async () => {
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

// Each command is a process that stretches a passphrase.
test('the transcripts, one after the other, are what really comes out', async () => {
  const transcript = [...guide.matchAll(/^```console\n(.*?)^```$/gms)].map(([, text]) => text).join('');
  const commands = [...transcript.matchAll(/^\$ (.*)$/gm)].map((match) => match[1] as string);
  const requests = /\$ cat requests\.csv\n(.*?)^\$ /ms.exec(transcript)?.[1] as string;
  await writeFile(join(folder, 'requests.csv'), requests);
  const script = commands.map(
    (command) => `printf '%s\\n' ${quoted(`$ ${command}`)}\n(exit $status)\n${command}\nstatus=$?\n`,
  );
  const text = ['status=0', `keytide() { ${quoted(process.execPath)} ${quoted(PROGRAM)} "$@"; }`, ...script];
  await writeFile(join(folder, 'script.sh'), text.join('\n').replaceAll('http://127.0.0.1:8080', relay.url));
  const { stdout } = await promisify(execFile)('sh', ['-c', '. ./script.sh 2>&1'], {
    cwd: folder,
    env: { PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, KEYTIDE_PASSPHRASE: 'correct horse' },
  });
  expect(comparable(stdout.replaceAll(relay.url, 'http://127.0.0.1:8080'))).toBe(comparable(transcript));
}, 240_000);

test('the exit codes are those of --help', () => {
  for (const [code, meaning] of EXIT_MEANINGS) expect(guide).toContain(`| ${code} | ${meaning} |`);
});

/** Without what differs from run to run: random ids, times, numbers to compare, and the epoch, which midnight ends. */
function comparable(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID64')
    .replaceAll(/\b[0-9a-f]{32}\b/g, 'ID32')
    .replaceAll(/\b[0-9a-f]{8}\b/g, 'ID8')
    .replaceAll(/\b\d{5}(?: \d{5}){5}\b/g, 'NUMBER')
    .replaceAll(/of \d{4}-\d\d-\d\d:/g, 'of DATE:')
    .replaceAll(/until \d{4}-\d\d-\d\d \d\d:\d\d/g, 'until TIME')
    .replaceAll(/^(\d+ +)\d{4}-\d\d-\d\d \d\d:\d\d /gm, '$1TIME ')
    .replaceAll(/at size \d+$/gm, 'at size N')
    .replaceAll(/^(\d{4}-\d\d-\d\d )?\d\d:\d\d /gm, 'TIME ')
    .replaceAll(/^(epoch +)\d+$/gm, '$1EPOCH');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
