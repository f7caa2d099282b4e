import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { wallClock } from '../clock.ts';
import { contest, type Contestant } from '../contest.ts';
import { contestRows, type BenchOptions, type Row } from '../rows.ts';
import { apart } from './apart.ts';

const MEGABYTE = 1_000_000;
const OURS = 'keytide';
const RESTIC = 'restic check --read-data';
const BORG = 'borg check --verify-data';
const run = promisify(execFile);

/** What programs for backups do with the same bytes: reading all of them, and finding each one that was altered. */
export async function* benchBackups({ quick, note }: BenchOptions): AsyncGenerator<Row[]> {
  const contents = quick
    ? { messages: 10_000, attachments: Array.from({ length: 16 }, () => 16 * MEGABYTE) }
    : { messages: 100_000, attachments: Array.from({ length: 64 }, () => 16 * MEGABYTE) };
  for (const [work, messages, attachments] of [
    ['verify messages', contents.messages, []],
    ['verify attachments', 1_000, contents.attachments],
  ] as const) {
    note(work);
    const home = await mkdtemp(join(tmpdir(), 'keytide-bench-backups-'));
    try {
      const folder = join(home, 'archive');
      const { sizeBytes } = await apart({ act: 'make', folder, messages, attachments });
      const sides = [ours(folder), await restic(home, folder), await borg(home, folder)];
      const present = sides.filter((side) => side !== null);
      const samples = await contest(present, { rounds: quick ? 3 : 5, warmUps: 1, now: wallClock.now });
      const valueOf = (ms: number): number => sizeBytes / MEGABYTE / (ms / 1_000);
      const goals = { [RESTIC]: 1.5 };
      yield contestRows({ bench: 'archive', work, n: sizeBytes, unit: 'MB/s' }, samples, {
        ...{ ours: OURS, valueOf, goals },
      });
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  }
}

/** Every level that takes no key, in a process of its own, as theirs are. */
function ours(folder: string): Contestant {
  return {
    name: OURS,
    round: (time) => time(async () => void (await apart({ act: 'verify', folder, isOpened: false }))),
  };
}

/** `null`, and a word on stderr, where the program is not installed. */
async function restic(home: string, folder: string): Promise<Contestant | null> {
  const env = { ...process.env, RESTIC_PASSWORD: 'of a bench', RESTIC_REPOSITORY: join(home, 'restic') };
  const call = (...args: readonly string[]) => run('restic', ['--no-cache', '--quiet', ...args], { env });
  if (!(await isThere('restic', ['version']))) return null;
  await call('init');
  await call('backup', folder);
  return { name: RESTIC, round: (time) => time(async () => void (await call('check', '--read-data'))) };
}

async function borg(home: string, folder: string): Promise<Contestant | null> {
  const base = join(home, 'borg-home');
  const repository = join(home, 'borg');
  const env = { ...process.env, BORG_BASE_DIR: base, BORG_PASSPHRASE: 'of a bench' };
  const call = (...args: readonly string[]) => run('borg', args, { env });
  if (!(await isThere('borg', ['--version']))) return null;
  await call('init', '--encryption=repokey-blake2', repository);
  await call('create', `${repository}::archive`, folder);
  return {
    name: BORG,
    round: (time) => time(async () => void (await call('check', '--verify-data', repository))),
  };
}

async function isThere(program: string, args: readonly string[]): Promise<boolean> {
  try {
    await run(program, args);
    return true;
  } catch {
    console.error(`${program} is not installed: its figures are left out (apt-get install ${program})`);
    return false;
  }
}
