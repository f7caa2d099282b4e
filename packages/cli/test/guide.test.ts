import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT_MEANINGS } from '../src/exit-codes.ts';
import { play, transcriptOf } from './transcript.ts';

const GUIDE = fileURLToPath(new URL('../../../docs/guides/cli.md', import.meta.url));

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
  const transcript = transcriptOf(guide);
  const requests = /\$ cat requests\.csv\n(.*?)^\$ /ms.exec(transcript)?.[1] as string;
  await writeFile(join(folder, 'requests.csv'), requests);
  const { shown, came } = await play(transcript, folder, relay.url);
  expect(came).toBe(shown);
}, 240_000);

test('the exit codes are those of --help', () => {
  for (const [code, meaning] of EXIT_MEANINGS) expect(guide).toContain(`| ${code} | ${meaning} |`);
});
