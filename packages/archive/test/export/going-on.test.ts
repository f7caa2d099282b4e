import { createPolicyChange, createRevokeDevice } from '@keytide/key-directory';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  exportArchive,
  readArchive,
  readArchiveStats,
  verifyArchive,
  type ArchivedGroup,
  type ExportOptions,
  type SourceEntry,
} from '../../src/index.ts';
import { encodeKept, readKept } from '../../src/export/kept-files.ts';
import { readPlan } from '../../src/export/plan.ts';
import { archiveKey, contentOf, identities, optionsFor, said, someDays } from '../exporting.ts';
import { copyOf } from '../forging.ts';
import { memoryDestination, type MemoryDestination } from '../memory-destination.ts';
import { worldSource, type WorldSource } from '../world-source.ts';

const other = primitives.decapsulator(new Uint8Array(32).fill(0x61));

/** An export that was stopped when `isEnough` of it was written. */
async function stopped(options: ExportOptions, isEnough: (names: readonly string[]) => boolean) {
  const destination = memoryDestination(() => {
    if (!isOver && isEnough([...destination.files.keys()])) throw new Error('stopped');
  });
  let isOver = false;
  await expect(exportArchive({ ...options, destination })).rejects.toThrow('stopped');
  isOver = true;
  return destination;
}

const hasAttachment = (names: readonly string[]): boolean => names.some((name) => /attachments\//.test(name));
const hasSegment = (names: readonly string[]): boolean =>
  names.some((name) => /segments\/.*json$/.test(name));
const named = ({ files }: MemoryDestination, pattern: RegExp): string =>
  [...files.keys()].find((name) => pattern.test(name)) as string;

let source: WorldSource;
let whole: Map<string, unknown>;

beforeAll(async () => {
  source = await someDays();
  const destination = memoryDestination();
  await exportArchive(optionsFor(source, destination));
  whole = await contentOf(destination);
});

describe('what a place makes of an export that was stopped', () => {
  it('does not come into the archive: neither segments nor attachments', async () => {
    const options = optionsFor(source, memoryDestination());
    for (const [pattern, isEnough] of [
      [/segments\/.*\d\.age$/, hasSegment],
      [/attachments\/.*\.age$/, hasAttachment],
    ] as const) {
      const destination = await stopped(options, isEnough);
      destination.files.set(named(destination, pattern), Uint8Array.of(1, 2, 3));
      const { signed } = await exportArchive({ ...options, destination });
      expect(await contentOf(destination)).toEqual(whole);
      expect(signed.manifest.groups[0]).toMatchObject({ messages: 4, unreadable: 1 });
    }
  });

  it('nor with a list that says so, by another device, of another export, or of none', async () => {
    const options = optionsFor(source, memoryDestination());
    const begun = await stopped(options, hasSegment);
    const name = named(begun, /segments\/.*\d\.age$/);
    const rubbish = Uint8Array.of(1, 2, 3);
    const { bytes: plan } = (await readPlan(begun)) as { bytes: Uint8Array };
    const { signer } = options.exporter;
    const { signer: foreign } = secondOf(source);
    const kept = await readKept({ primitives, signer, plan }, begun);
    expect(kept.files.size).toBeGreaterThan(3);
    kept.files.set(name, { sizeBytes: 3, sha256: primitives.sha256(rubbish) });
    const lists = [
      await encodeKept({ primitives, signer: foreign, plan }, kept),
      await encodeKept({ primitives, signer, plan: new Uint8Array(plan.length) }, kept),
      (await encodeKept({ primitives, signer, plan }, kept)).map((byte, at) => (at === 9 ? byte ^ 1 : byte)),
      Uint8Array.of(10),
    ];
    for (const list of lists) {
      const destination = copyOf(begun);
      destination.files.set(name, rubbish);
      destination.files.set('kept.jsonl', list);
      await exportArchive({ ...options, destination });
      expect(await contentOf(destination)).toEqual(whole);
    }
  });
});

describe('an export that goes on when keys are over', () => {
  /** The same log, of which nothing can be read any more. */
  const over = (of: WorldSource = source): ExportOptions['source'] => ({
    ...of,
    async *entries(group, from, through) {
      for await (const entry of of.entries(group, from, through)) yield expired(entry);
    },
    async *epochKeys() {},
  });

  it('has what was whole as it was, and lists what it cannot have any more', async () => {
    const options = optionsFor(source, memoryDestination());
    const destination = await stopped(options, hasSegment);
    const name = named(destination, /segments\/.*\d\.age$/);
    const before = destination.files.get(name);
    const { missing } = await exportArchive({ ...options, source: over(), destination });
    expect(destination.files.get(name)).toEqual(before);
    expect(missing).toMatchObject([{ code: 'expired-by-policy' }]);
    const { groups, attachments } = await readArchiveStats(destination);
    expect(groups).toMatchObject([{ messages: 4, unreadable: { 'ask-an-admin': 1 } }]);
    expect(attachments.missing).toEqual({ 'expired-by-policy': 1 });
    expect(await verdictOf(destination)).toEqual(['sound', []]);
  });

  it('has the keys of the segments that it keeps, and shows what is in them', async () => {
    const long = worldSource('two segments', 3, archiveKey.publicKey);
    const text = 'x'.repeat(200_000);
    await long.day(Array.from({ length: 10 }, (_, at) => said(at % 3, at, { text })));
    await long.day([said(0, 11, { text: 'gone' })]);
    const options = { ...optionsFor(long, memoryDestination()), recipients: [] };
    const destination = await stopped(options, hasSegment);
    await exportArchive({ ...options, source: over(long), destination });
    expect(await verdictOf(destination)).toEqual(['sound', []]);
    const {
      groups,
      entries,
      source: again,
    } = await readArchive({ primitives, files: destination, identities });
    const [{ group }] = groups as [ArchivedGroup];
    const kinds: string[] = [];
    for await (const { kind } of entries(group)) kinds.push(kind);
    const readable = kinds.lastIndexOf('message');
    expect(readable).toBeGreaterThan(7);
    expect(kinds.slice(readable + 1)).toEqual(
      long.log.slice(readable + 1).map(({ kind }) => (kind === 'statement' ? kind : 'unreadable')),
    );
    expect(kinds.length).toBeGreaterThan(readable + 2);
    const copy = memoryDestination();
    await exportArchive({ ...options, source: again, destination: copy });
    expect(await verdictOf(copy)).toEqual(['sound', []]);
  });

  it('has the attachments that were there as well, with their sizes', async () => {
    const options = optionsFor(source, memoryDestination());
    const destination = await stopped(options, hasAttachment);
    // Written, and not yet recorded: as if it had been.
    const name = named(destination, /attachments\//);
    const plan = (await readPlan(destination))?.bytes as Uint8Array;
    const keeping = { primitives, signer: options.exporter.signer, plan };
    const kept = await readKept(keeping, destination);
    kept.files.set(name, await destination.digest(name));
    destination.files.set('kept.jsonl', await encodeKept(keeping, kept));
    const { missing } = await exportArchive({ ...options, source: over(), destination });
    expect(missing).toEqual([]);
    expect((await readArchiveStats(destination)).attachments).toMatchObject({
      present: 1,
      sizeBytes: 70_000,
    });
    const content = await contentOf(destination);
    expect(content.get(name)).toEqual(whole.get(name));
  });

  it('takes what can be read meanwhile in the place of what could not', async () => {
    const options = optionsFor(source, memoryDestination());
    const destination = await stopped({ ...options, source: over() }, hasSegment);
    await exportArchive({ ...options, destination });
    expect(await contentOf(destination)).toEqual(whole);
  });

  it('has the keys that there were when it began', async () => {
    let isOver = false;
    const destination = memoryDestination();
    await exportArchive({
      ...optionsFor(source, destination),
      source: {
        ...source,
        async *entries(group, from, through) {
          yield* source.entries(group, from, through);
          isOver = true;
        },
        async *epochKeys(group) {
          if (!isOver) yield* source.epochKeys(group);
        },
      },
    });
    expect(await contentOf(destination)).toEqual(whole);
    expect(await verdictOf(destination)).toEqual(['sound', []]);
  });
});

describe('an export that goes on after the organisation has changed', () => {
  const begin = async (seed: string) => {
    const world = worldSource(seed, 3, archiveKey.publicKey);
    await world.day([said(0, 1, { text: 'hello' })]);
    const options = { ...optionsFor(world, memoryDestination()), recipients: [] };
    return { world: world.world, options, destination: await stopped(options, hasSegment) };
  };

  it('is not sealed to the archive key of before', async () => {
    const { world, options, destination } = await begin('another archive key');
    const [{ devices }] = world.members;
    const policy = { ...world.state.policy, archiveKey: other.publicKey };
    world.append(createPolicyChange({ ...world.as(devices[0]), policy }));
    const going = exportArchive({ ...options, destination });
    await expect(going).rejects.toMatchObject({ code: 'other-export' });
  });

  it('is not made by who may not any more', async () => {
    const { world, options, destination } = await begin('a device that was revoked');
    const [{ devices }] = world.members;
    const by = world.as(secondOf({ world }));
    world.append(createRevokeDevice({ ...by, device: devices[0].id }));
    const going = exportArchive({ ...options, destination });
    await expect(going).rejects.toMatchObject({ code: 'not-permitted' });
  });

  it('is not gone on with by another device, which has not written what is there', async () => {
    const { world, options, destination } = await begin('another device');
    const { id, signer } = secondOf({ world });
    const going = exportArchive({ ...options, destination, exporter: { device: id, signer } });
    await expect(going).rejects.toMatchObject({ code: 'other-export' });
  });
});

function secondOf({ world: { members } }: Pick<WorldSource, 'world'>) {
  const [, second] = members;
  if (second === undefined) throw new Error('nobody else');
  return second.devices[0];
}

/** With the archive key. */
async function verdictOf(files: MemoryDestination): Promise<unknown> {
  const { verdict, findings } = await verifyArchive({ primitives, files, identities });
  return [verdict, findings.filter(({ weight }) => weight === 'fault')];
}

function expired(entry: SourceEntry): SourceEntry {
  if (entry.kind === 'statement') return entry;
  const { seq, envelope, epoch } = entry;
  return { kind: 'unreadable', seq, envelope, epoch, code: 'expired-by-policy' };
}
