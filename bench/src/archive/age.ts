import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hybridIdentity, openAge, sealAge } from '@keytide/archive';
import { readPieces, writePieces } from '@keytide/archive/node';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { contest, type Contestant } from '../contest.ts';
import { loadPeer } from '../peers.ts';
import { contestRows, type BenchOptions, type Row } from '../rows.ts';

/** A program that seals and opens files. */
export interface AgeProgram {
  readonly name: string;
  seal(from: string, to: string): Promise<void>;
  open(from: string, to: string): Promise<void>;
}

const MEGABYTE = 1_000_000;
const OURS = 'keytide';
const GO = 'age in Go';
const JAVASCRIPT = 'age in JavaScript';
const run = promisify(execFile);

/** Age files, from one file to another, beside the program and the library that people have. */
export async function* benchAge({ quick, clock }: BenchOptions): AsyncGenerator<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-bench-age-'));
  try {
    const sizeBytes = (quick ? 64 : 256) * MEGABYTE;
    const plain = join(folder, 'plain');
    await writeFile(plain, random(sizeBytes));
    const programs = [
      keytide(),
      await ageInGo(folder),
      await loadPeer<() => Promise<AgeProgram>>('age-files').then((make) => make()),
    ];
    const present = programs.filter((program) => program !== null);
    for (const program of present) await program.seal(plain, join(folder, `${program.name}.age`));
    const timing = { rounds: quick ? 3 : 5, warmUps: 1, now: clock.now };
    const goals = { [GO]: 0.5, [JAVASCRIPT]: 8 };
    const valueOf = (ms: number): number => sizeBytes / MEGABYTE / (ms / 1_000);
    const comparison = { ours: OURS, valueOf, goals };
    const work = { bench: 'archive', n: sizeBytes, unit: 'MB/s' };
    const sealing = present.map((program): Contestant => ({
      name: program.name,
      round: (time) => time(() => program.seal(plain, join(folder, `${program.name}.new`))),
    }));
    yield contestRows({ ...work, work: 'seal an age file' }, await contest(sealing, timing), comparison);
    const opening = present.map((program): Contestant => ({
      name: program.name,
      async round(time) {
        const to = join(folder, `${program.name}.plain`);
        await time(() => program.open(join(folder, `${program.name}.age`), to));
        if ((await stat(to)).size !== sizeBytes) throw new Error(`${program.name} opened something else`);
      },
    }));
    yield contestRows({ ...work, work: 'open an age file' }, await contest(opening, timing), comparison);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function keytide(): AgeProgram {
  const key = primitives.decapsulator(random(32));
  const recipients = [primitives.encapsulator(key.publicKey)];
  const identities = [hybridIdentity(primitives, key)];
  type Change = (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
  const through = async (from: string, to: string, change: Change): Promise<void> => {
    await using source = await open(from);
    await using target = await open(to, 'w');
    await writePieces(target, change(readPieces(source)));
  };
  return {
    name: OURS,
    seal: (from, to) => through(from, to, (bytes) => sealAge(bytes, { primitives, random, recipients })),
    open: (from, to) => through(from, to, (bytes) => openAge(bytes, { primitives, identities })),
  };
}

/** `null`, and a word on stderr, where the program is not installed. */
async function ageInGo(folder: string): Promise<AgeProgram | null> {
  const identity = join(folder, 'identity.txt');
  try {
    await run('age-keygen', ['-o', identity]);
  } catch {
    console.error('age is not installed: its figures are left out (apt-get install age)');
    return null;
  }
  const { stdout } = await run('age-keygen', ['-y', identity]);
  return {
    name: GO,
    seal: async (from, to) => void (await run('age', ['-r', stdout.trim(), '-o', to, from])),
    open: async (from, to) => void (await run('age', ['-d', '-i', identity, '-o', to, from])),
  };
}
