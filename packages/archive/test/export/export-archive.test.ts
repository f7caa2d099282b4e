import { archiveRecipient, equalBytes, rootOf } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { describe, expect, it } from 'vitest';
import {
  exportArchive,
  parseSignedManifest,
  verifyArchive,
  type NamedAttachment,
  type SourceEntry,
  type SourceGroup,
} from '../../src/index.ts';
import { archiveKey, contentOf, optionsFor, said, segmentLines, someDays } from '../exporting.ts';
import { forged } from '../forging.ts';
import { memoryDestination } from '../memory-destination.ts';
import { worldSource, type WorldSource } from '../world-source.ts';

describe('an export', () => {
  it('has every entry in the order of the log, with what it says', async () => {
    const source = await someDays();
    const destination = memoryDestination();
    const { signed, missing } = await exportArchive(optionsFor(source, destination));
    expect(missing).toEqual([]);
    expect(signed.manifest.groups[0]).toMatchObject({
      ...{ throughSeq: 8, messages: 4, invalid: 1, unreadable: 1, skipped: 0 },
      root: rootOf(primitives, source.treeAt(8)),
    });
    expect(await segmentLines(destination)).toMatchObject([
      { seq: 2, content: [1, 0, 'chat', '', 1, 0, { text: 'hello' }] },
      { seq: 3, content: [1, 0, 'chat', '', 2, 0, { text: 'hi' }] },
      { seq: 5, invalid: 'schema' },
      { seq: 6, unreadable: 'ask-an-admin' },
      { seq: 8, content: [1, 0, 'chat', '', 5, 0, { photo: { $bytes: 'AQI' } }] },
    ]);
    expect(destination.files.has('plan.json')).toBe(false);
    const file = destination.files.get('signed-manifest') as Uint8Array;
    expect(parseSignedManifest(file)).toEqual(signed);
  });

  it('has attachments, and lists those that are gone', async () => {
    const source = await someDays();
    await source.day([{ ...said(1, 6, {}), attachments: [Uint8Array.of(7)] }]);
    const blob = attachmentsOf(source, 10);
    source.lose(blob);
    const destination = memoryDestination();
    const { missing } = await exportArchive(optionsFor(source, destination));
    expect(missing).toEqual([{ blob, code: 'attachment-gone' }]);
    const kept = attachmentsOf(source, 8);
    const content = await contentOf(destination);
    expect((content.get(`data/attachments/${kept}.age`) as Uint8Array).length).toBe(70_000);
    expect(content.has(`data/attachments/${blob}.age`)).toBe(false);
  });

  it('has an attachment that somebody names with another key as well, before or after', async () => {
    const source = await someDays();
    const [photo] = namedIn(source, 8);
    const descriptor = photo?.descriptor.slice() as Uint8Array;
    descriptor[10] = (descriptor[10] as number) ^ 1;
    const foreign = { ...photo, descriptor } as NamedAttachment;
    await source.day([{ ...said(2, 6, {}), naming: [foreign] }]);
    for (const entries of [source.log, [source.log[9], ...source.log]]) {
      const destination = memoryDestination();
      const order = entries.map((entry, index) => ({ ...(entry as SourceEntry), seq: index + 1 }));
      const [group] = await source.groups();
      const { missing } = await exportArchive({
        ...optionsFor(source, destination),
        source: {
          ...source,
          groups: async () => [{ ...(group as SourceGroup), throughSeq: order.length }],
          async *entries() {
            yield* order;
          },
        },
      });
      expect(missing).toEqual([]);
      const content = await contentOf(destination);
      expect((content.get(`data/attachments/${photo?.blob}.age`) as Uint8Array).length).toBe(70_000);
    }
  });

  it('leaves out what a filter does not take, and keeps the leaves of all', async () => {
    const source = await someDays();
    const [, bo] = source.world.members;
    const destination = memoryDestination();
    const options = { ...optionsFor(source, destination), filter: { members: [bo?.id as string] } };
    const { signed } = await exportArchive(options);
    // What cannot be read may be theirs.
    expect(await segmentLines(destination)).toMatchObject([{ seq: 3 }, { seq: 6 }]);
    expect(signed.manifest.groups[0]).toMatchObject({ messages: 1, unreadable: 1, skipped: 3 });
    const [leaves] = [...destination.files].filter(([name]) => name.endsWith('.leaves'));
    expect(leaves?.[1].length).toBe(8 * 32);
    // What goes on from it has the same filter, or what it left out would be in neither.
    const goesOn = (filter: typeof options.filter | null) =>
      exportArchive({ ...optionsFor(source, memoryDestination()), since: signed, filter });
    await expect(goesOn(null)).rejects.toMatchObject({ code: 'other-filter' });
    await expect(goesOn({ members: [source.world.members[0].id] })).rejects.toMatchObject({
      code: 'other-filter',
    });
    expect((await goesOn(options.filter)).signed.manifest.filter).toEqual(options.filter);
  });

  it('takes a filter in whatever order it is given', async () => {
    const source = await someDays();
    const files = memoryDestination();
    const filter = { toMs: Date.UTC(2040, 0, 1), collections: ['chat'] };
    await exportArchive({ ...optionsFor(source, files), filter });
    expect((await verifyArchive({ primitives, files })).verdict).toBe('sound');
    const none = memoryDestination();
    const options = { ...optionsFor(source, none), filter: { members: ['bo'] } };
    await expect(exportArchive(options)).rejects.toMatchObject({ code: 'malformed' });
    expect([...none.files]).toEqual([]);
  });

  it('goes on from an archive, and notices another log', async () => {
    const source = await someDays();
    const { signed: since } = await exportArchive(optionsFor(source, memoryDestination()));
    await source.day([said(1, 9, { text: 'since then' })]);
    const destination = memoryDestination();
    const { signed } = await exportArchive({ ...optionsFor(source, destination), since });
    expect(signed.manifest.groups[0]).toMatchObject({
      before: source.treeAt(8),
      throughSeq: 10,
      messages: 1,
    });
    expect(signed.manifest.previous).toEqual(primitives.sha256(since.bytes));
    expect(await segmentLines(destination)).toMatchObject([{ seq: 10 }]);
    const [, group] = Object.keys(Object.fromEntries(destination.files)).flatMap((name) =>
      name.endsWith('statement-before') ? [name, destination.files.get(name) as Uint8Array] : [],
    );
    const statement = source.log[6];
    expect(statement?.kind === 'statement' && equalBytes(statement.wire, group as Uint8Array)).toBe(true);

    const other = worldSource('some days');
    await other.day([said(0, 1, { text: 'another' })]);
    for (let day = 0; day < 5; day += 1) await other.day([said(1, day, { text: 'log' })]);
    const failing = exportArchive({ ...optionsFor(other, memoryDestination()), since });
    await expect(failing).rejects.toMatchObject({ code: 'other-log' });
  });

  it('is sealed to the archive key of the policy', async () => {
    const source = worldSource('a policy with an archive key', 3, archiveKey.publicKey);
    await source.day([said(0, 1, { text: 'hello' })]);
    const destination = memoryDestination();
    await exportArchive({ ...optionsFor(source, destination), recipients: [] });
    expect(await segmentLines(destination)).toMatchObject([{ seq: 2 }]);
  });

  it('says to whom it is sealed, and whether the archive key is among them', async () => {
    const source = worldSource('sealed to whom', 3, archiveKey.publicKey);
    await source.day([said(0, 1, { text: 'hello' })]);
    const destination = memoryDestination();
    const other = primitives.decapsulator(new Uint8Array(32).fill(3)).publicKey;
    const { signed } = await exportArchive({ ...optionsFor(source, destination), recipients: [other] });
    const names = [archiveKey.publicKey, other].map((key) => archiveRecipient(primitives, key));
    expect(signed.manifest.recipients).toEqual(names);
    expect(await verifyArchive({ primitives, files: destination })).toMatchObject({ findings: [] });
    forged(destination, {
      signers: [source.world.members[0].devices[0]],
      manifest: (manifest) => ({ ...manifest, recipients: names.slice(1) }),
    });
    expect(await verifyArchive({ primitives, files: destination })).toMatchObject({
      ...{ verdict: 'sound', findings: [{ code: 'archive-key-left-out', weight: 'note', detail: names[0] }] },
    });
  });

  it('is refused without anybody to seal to, and to who may not', async () => {
    const source = await someDays();
    const destination = memoryDestination();
    await expect(exportArchive({ ...optionsFor(source, destination), recipients: [] })).rejects.toMatchObject(
      {
        code: 'no-recipient',
      },
    );
    const device = source.world.members[2]?.devices[0];
    const exporter = { device: device?.id as never, signer: device?.signer as never };
    await expect(exportArchive({ ...optionsFor(source, destination), exporter })).rejects.toMatchObject({
      code: 'not-permitted',
    });
    expect(destination.files.size).toBe(0);
  });

  it('does not begin where something else is', async () => {
    const source = await someDays();
    const destination = memoryDestination();
    await exportArchive(optionsFor(source, destination));
    await expect(exportArchive(optionsFor(source, destination))).rejects.toMatchObject({ code: 'not-empty' });
  });
});

function attachmentsOf(source: WorldSource, seq: number): string {
  return namedIn(source, seq)[0]?.blob as string;
}

function namedIn(source: WorldSource, seq: number): readonly NamedAttachment[] {
  const entry = source.log[seq - 1];
  if (entry?.kind !== 'message') throw new Error('not a message');
  return entry.attachments;
}
