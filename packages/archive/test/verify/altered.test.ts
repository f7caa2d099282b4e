import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { exportArchive, verifyArchive, type ArchiveReport } from '../../src/index.ts';
import { optionsFor, said, someDays } from '../exporting.ts';
import { copyOf } from '../forging.ts';
import { memoryDestination, type MemoryDestination } from '../memory-destination.ts';

/** How many bytes of each file are flipped, spread over it; all of them in the long form. */
const FLIPS = Number(process.env['KEYTIDE_ARCHIVE_FLIPS'] ?? 16);

let archive: MemoryDestination;

beforeAll(async () => {
  const source = await someDays();
  await source.day([{ ...said(1, 6, {}), attachments: [Uint8Array.of(7)] }]);
  archive = memoryDestination();
  await exportArchive(optionsFor(source, archive));
});

describe('an archive of which something was altered', () => {
  it('is sound as it was written', async () => {
    expect(await verify(archive)).toMatchObject({
      verdict: 'sound',
      findings: [],
      levels: ['structure', 'hashes', 'completeness', 'references'],
    });
  });

  it('names the file of any byte that was flipped', async () => {
    for (const [name, bytes] of archive.files) {
      const step = Math.max(1, Math.ceil(bytes.length / FLIPS));
      for (let at = 0; at < bytes.length; at += step) {
        const copy = copyOf(archive);
        (copy.files.get(name) as Uint8Array)[at]! ^= 1 << (at % 8);
        await expectNamed(copy, name, at);
      }
    }
  });

  it('names any file that is missing, cut short, longer, or has the content of another', async () => {
    const names = [...archive.files.keys()];
    for (const [index, name] of names.entries()) {
      const bytes = archive.files.get(name) as Uint8Array;
      const without = copyOf(archive);
      without.files.delete(name);
      await expectNamed(without, name, 'missing');
      for (const size of [0, 1, Math.floor(bytes.length / 2), bytes.length - 1]) {
        if (size >= bytes.length || size < 0) continue;
        const cut = copyOf(archive);
        cut.files.set(name, bytes.slice(0, size));
        await expectNamed(cut, name, `cut to ${size}`);
      }
      const longer = copyOf(archive);
      longer.files.set(name, new Uint8Array([...bytes, 10]));
      await expectNamed(longer, name, 'longer');
      const other = names[(index + 1) % names.length] as string;
      const swapped = copyOf(archive);
      swapped.files.set(name, archive.files.get(other) as Uint8Array);
      swapped.files.set(other, bytes);
      await expectNamed(swapped, name, 'swapped');
      await expectNamed(swapped, other, 'swapped');
    }
  });

  it('names any file that is there twice, or under another name', async () => {
    for (const name of archive.files.keys()) {
      for (const other of [`${name}.bak`, name.toUpperCase(), `data/../${name}`, otherNameOf(name)]) {
        if (other === name) continue;
        const copy = copyOf(archive);
        copy.files.set(other, archive.files.get(name) as Uint8Array);
        await expectNamed(copy, other, 'twice');
        copy.files.delete(name);
        await expectNamed(copy, name, 'renamed');
      }
    }
    const twice = copyOf(archive);
    async function* list() {
      yield* archive.list();
      yield* archive.list();
    }
    const { findings } = await verifyArchive({ primitives, files: { ...twice, list } });
    expect(new Set(findings.map(({ file }) => file))).toEqual(new Set(archive.files.keys()));
    expect(new Set(findings.map(({ code }) => code))).toEqual(new Set(['duplicate-file']));
  });

  it('tells an export that was broken off', async () => {
    const copy = copyOf(archive);
    copy.files.set('plan.json', Uint8Array.of(1));
    expect(await codesIn(copy)).toEqual(['unfinished']);
  });
});

/** Of the same form, where the form leaves room. */
function otherNameOf(name: string): string {
  return name.replace('000000000001-', '000000000002-').replace(/attachments\/./, 'attachments/_');
}

function verify(files: MemoryDestination): Promise<ArchiveReport> {
  return verifyArchive({ primitives, files });
}

async function codesIn(files: MemoryDestination): Promise<string[]> {
  return (await verify(files)).findings.map(({ code }) => code);
}

async function expectNamed(files: MemoryDestination, name: string, what: string | number): Promise<void> {
  const { verdict, findings } = await verify(files);
  if (findings.some(({ file }) => file === name)) return expect(verdict).toBe('unsound');
  throw new Error(`${name} ${what} is not named: ${JSON.stringify(findings)}`);
}
