import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  exportArchive,
  readArchive,
  verifyArchive,
  type NamedAttachment,
  type OpenedArchive,
  type SourceEntry,
} from '../../src/index.ts';
import { contentOf, identities, optionsFor, said, someDays } from '../exporting.ts';
import { copyOf, editLines, forged, nameOf, sealed } from '../forging.ts';
import { memoryDestination, type MemoryDestination } from '../memory-destination.ts';
import type { WorldSource } from '../world-source.ts';

let source: WorldSource;
let archive: MemoryDestination;
let opened: OpenedArchive;

beforeAll(async () => {
  source = await someDays();
  await source.day([{ ...said(1, 6, {}), attachments: [Uint8Array.of(7)] }]);
  const gone = source.log[9] as Extract<SourceEntry, { kind: 'message' }>;
  source.lose(gone.attachments[0]?.blob as string);
  archive = memoryDestination();
  await exportArchive(optionsFor(source, archive));
  opened = await read(archive);
});

describe('an archive that is read', () => {
  it('gives names, entries in the order of the log, and attachments', async () => {
    expect(opened.members.map(({ handle, role, isFormer }) => [handle, role, isFormer])).toEqual(
      expect.arrayContaining([
        ['member-0', 'admin', false],
        ['member-2', 'member', false],
      ]),
    );
    const entries = await entriesOf(opened);
    expect(entries).toEqual(source.log);
    const photo = entries[7] as Extract<SourceEntry, { kind: 'message' }>;
    const [named] = photo.attachments;
    const pieces: Uint8Array[] = [];
    for await (const piece of opened.source.attachment(named as NonNullable<typeof named>))
      pieces.push(piece.slice());
    expect(Buffer.concat(pieces).length).toBe(70_000);
    expect([...opened.attachments.values()].map(({ missing }) => missing).toSorted()).toEqual(
      ['attachment-gone', null].toSorted(),
    );
  });

  it('is a source: what is made from it has the same lines, keys and attachments', async () => {
    const again = memoryDestination();
    const { missing } = await exportArchive({ ...optionsFor(source, again), source: opened.source });
    expect(missing.map(({ code }) => code)).toEqual(['attachment-gone']);
    expect(await contentOf(again)).toEqual(await contentOf(archive));
    const { verdict } = await verifyArchive({ primitives, files: again, identities, org: source.org });
    expect(verdict).toBe('sound');
    const entries: SourceEntry[] = [];
    for await (const entry of opened.source.entries(source.world.state.everyone, 4, 6)) entries.push(entry);
    expect(entries.map(({ seq }) => seq)).toEqual([4, 5, 6]);
  });

  it('that goes on from another gives what is in it', async () => {
    const longer = await someDays();
    await longer.day([said(1, 6, { text: 'later' })]);
    const before = memoryDestination();
    const { signed } = await exportArchive(optionsFor(longer, before));
    await longer.day([said(2, 7, { text: 'later still' })]);
    const second = memoryDestination();
    await exportArchive({ ...optionsFor(longer, second), since: signed });
    expect((await entriesOf(await read(second))).map(({ seq }) => seq)).toEqual([11, 12]);
  });

  it('shows nothing that was altered', async () => {
    // Read by people, by BagIt and by who verifies.
    const others = /README|^tagmanifest|\.json$/;
    for (const [name, bytes] of archive.files) {
      if (others.test(name) || bytes.length === 0) continue;
      const altered = copyOf(archive);
      (altered.files.get(name) as Uint8Array)[Math.floor(bytes.length / 2)]! ^= 1;
      await expect(everythingIn(altered), name).rejects.toMatchObject({ name: 'ArchiveError' });
    }
    const unsigned = copyOf(archive);
    forged(unsigned, { signers: [deviceOf(2)] });
    await expect(read(unsigned)).rejects.toMatchObject({ code: 'damaged', cause: 'not-permitted' });
    await expect(read(archive, 'ab'.repeat(32) as typeof source.org)).rejects.toMatchObject({
      ...{ code: 'damaged', cause: 'other-org' },
    });
  });

  it('shows what was hashed, and no later reading of the place', async () => {
    const lines = nameOf(archive, '10.age');
    const other = copyOf(archive);
    await editLines(other, lines, ([one, ...rest]) => [{ ...one, invalid: 'schema' }, ...rest]);
    const changing = { ...archive, read: (name: string) => (name === lines ? other : archive).read(name) };
    await expect(everythingIn(changing)).rejects.toMatchObject({ code: 'damaged' });
  });

  it('ends no attachment that its sender has not described', async () => {
    const photo = source.log[7] as Extract<SourceEntry, { kind: 'message' }>;
    const [named] = photo.attachments as [NamedAttachment];
    const altered = copyOf(archive);
    altered.files.set(`data/attachments/${named.blob}.age`, await sealed([new Uint8Array(70_000)]));
    forged(altered, { signers: [deviceOf(0)] });
    const { source: from } = await read(altered);
    let sizeBytes = 0;
    const reading = (async () => {
      for await (const piece of from.attachment(named)) sizeBytes += piece.length;
    })();
    await expect(reading).rejects.toMatchObject({ code: 'tampered' });
    expect(sizeBytes).toBeLessThan(70_000);
  });

  it('shows no line that is not the entry at its seq, whoever has signed it', async () => {
    const lines = nameOf(archive, '10.age');
    const moved = copyOf(archive);
    await editLines(moved, lines, ([one, two, ...rest]) => [
      { ...one, envelope: two['envelope'] },
      { ...two, envelope: one['envelope'] },
      ...rest,
    ]);
    forged(moved, { signers: [deviceOf(0)] });
    await expect(everythingIn(moved)).rejects.toMatchObject({ code: 'damaged' });
    const more = copyOf(archive);
    await editLines(more, lines, (all) => [...all, all[0]]);
    forged(more, { signers: [deviceOf(0)] });
    await expect(everythingIn(more)).rejects.toMatchObject({ code: 'damaged' });
    const statements = copyOf(archive);
    await editLines(statements, nameOf(archive, 'statements.jsonl'), ([one, two, ...rest]) => [
      { ...one, statement: two['statement'] },
      two,
      ...rest,
    ]);
    forged(statements, { signers: [deviceOf(0)] });
    await expect(everythingIn(statements)).rejects.toMatchObject({ code: 'damaged' });
  });
});

function deviceOf(by: number) {
  const member = source.world.members[by];
  if (member === undefined) throw new RangeError('no such member');
  return member.devices[0];
}

function read(files: MemoryDestination, org?: WorldSource['org']): Promise<OpenedArchive> {
  return readArchive({ primitives, files, identities, ...(org !== undefined && { org }) });
}

async function entriesOf(archived: OpenedArchive): Promise<SourceEntry[]> {
  const entries: SourceEntry[] = [];
  for (const { group } of archived.groups)
    for await (const entry of archived.entries(group)) entries.push(entry);
  return entries;
}

/** Reads all that there is, as an export does. */
async function everythingIn(files: MemoryDestination): Promise<void> {
  const { source: from } = await read(files);
  await exportArchive({ ...optionsFor(source, memoryDestination()), source: from });
}
