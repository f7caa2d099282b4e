import { createEpoch, rootOf, parseEpochStatement, type EpochStatement } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import {
  assembleNote,
  checkpointText,
  createPolicyChange,
  createRevokeDevice,
  logSignature,
  originOf,
  parseCheckpointText,
  recipientsOf,
  replay,
  type LogCheckpoint,
} from '@keytide/key-directory';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  exportArchive,
  verifyArchive,
  type ArchiveReport,
  type ExportSource,
  type SignedManifest,
  type SourceEntry,
  type VerifyOptions,
} from '../../src/index.ts';
import { encodeManifest, encodeSignedManifest, signManifest } from '../../src/container/signed-manifest.ts';
import { identities, optionsFor, said, someDays } from '../exporting.ts';
import { copyOf, editLines, forged, nameOf, sealed, split, without, type Forger } from '../forging.ts';
import { memoryDestination, type MemoryDestination } from '../memory-destination.ts';
import type { WorldSource } from '../world-source.ts';

let source: WorldSource;
let archive: MemoryDestination;
let signed: SignedManifest;

beforeAll(async () => {
  source = await someDays();
  archive = memoryDestination();
  ({ signed } = await exportArchive(byBo(source)));
});

/** Statements are the founder's, so the exporter is somebody else. */
function byBo(from: WorldSource, what: ExportSource = from) {
  const device = deviceOf(from, 1);
  return {
    ...optionsFor(from, memoryDestination()),
    ...{ source: what, destination: archive, exporter: { device: device.id, signer: device.signer } },
  };
}

describe('an archive that somebody has made up', () => {
  it('is of the organisation that was asked for', async () => {
    expect(await codes(archive, { org: source.org })).toEqual([]);
    expect((await verify(archive)).archive?.isOrgExpected).toBe(false);
    const other = 'ab'.repeat(32) as typeof source.org;
    expect(await codes(archive, { org: other })).toEqual(['other-org']);
    expect(await codes(edited({ manifest: (manifest) => ({ ...manifest, org: other }) }))).toEqual([
      'other-org',
    ]);
  });

  it('has the group of everyone, and what opens it', async () => {
    expect(await codes(edited({ manifest: (manifest) => ({ ...manifest, groups: [] }) }))).toEqual(
      expect.arrayContaining(['group-missing']),
    );
    for (const end of ['keys.age', 'boxes.jsonl']) {
      const lacking = copyOf(archive);
      lacking.files.delete(nameOf(archive, end));
      forged(lacking, { signers: [deviceOf(source, 1)] });
      expect(await codes(lacking), end).toContain('missing-file');
    }
  });

  it('ends no verification, whatever it says', async () => {
    const dated = copyOf(archive);
    const bytes = encodeManifest({ ...signed.manifest, createdMs: 9e15 });
    const { id, signer } = deviceOf(source, 1);
    const signature = signManifest(primitives, signer, bytes);
    dated.files.set('signed-manifest', encodeSignedManifest(bytes, [{ device: id, signature }]));
    expect(await codes(dated)).toContain('malformed');
    const list = copyOf(archive);
    list.files.set('manifest-sha256.txt', Buffer.from('nobody’s'));
    expect(await codes(list)).toEqual(expect.arrayContaining(['manifest-mismatch']));
    const deep = copyOf(archive);
    const lines = [...deep.files.keys()].find((name) => /\d\.age$/u.test(name)) as string;
    const texts: string[] = [];
    await editLines(deep, lines, (all) => {
      texts.push(...all.map((line) => JSON.stringify({ ...line, content: 'deep' })));
      return all;
    });
    const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const text = `${texts[0]?.replace('"deep"', nested)}\n`;
    deep.files.set(lines, await sealed([Buffer.from(text)]));
    forged(deep, { signers: [deviceOf(source, 1)] });
    const report = await verifyArchive({ primitives, files: deep, identities });
    expect(report.findings.map(({ code }) => code)).toContain('malformed');
  });

  it('counts only if an admin or exporter who is active has signed it', async () => {
    expect(await codes(edited({ signers: [deviceOf(source, 2)] }))).toEqual(['not-permitted']);
    expect(await codes(edited({ signers: [deviceOf(source, 0)] }))).toEqual([]);
    const impostor = { ...deviceOf(source, 0), signer: deviceOf(source, 2).signer };
    expect(await codes(edited({ signers: [impostor] }))).toEqual(['bad-signature']);
    const unknown = { ...deviceOf(source, 0), id: 'cd'.repeat(32) as SourceDevice['id'] };
    expect(await codes(edited({ signers: [unknown] }))).toEqual(['not-permitted']);
    // The first is to be the exporter's.
    const named = (by: number) => ({ device: deviceOf(source, by).id });
    const other = edited({ manifest: (manifest) => ({ ...manifest, ...named(0) }) });
    expect(await codes(other)).toEqual(['not-permitted']);
    const revoked = await someDays();
    revoked.world.append(
      createRevokeDevice({ ...revoked.world.as(deviceOf(revoked, 0)), device: deviceOf(revoked, 1).id }),
    );
    const left = memoryDestination();
    await exportArchive(optionsFor(revoked, left));
    expect(await codes(left)).toEqual([]);
    forged(left, { signers: [deviceOf(revoked, 1)] });
    expect(await codes(left)).toEqual(['not-permitted']);
  });

  it('counts only with as many admins as the policy asks for', async () => {
    const strict = await someDays();
    const { world } = strict;
    const policy = { ...world.state.policy, approvals: { export: 2 } };
    world.append(createPolicyChange({ ...world.as(deviceOf(strict, 0)), policy }));
    const one = memoryDestination();
    await exportArchive(optionsFor(strict, one));
    expect(await codes(one)).toEqual(['approval-needed']);
    const founder = deviceOf(strict, 0);
    forged(one, { signers: [founder, founder] });
    expect(await codes(one)).toEqual(['approval-needed']);
    forged(one, { signers: [founder, deviceOf(strict, 2)] });
    expect(await codes(one)).toEqual(['not-permitted', 'approval-needed']);
    forged(one, { signers: [founder, deviceOf(strict, 1)] });
    expect(await codes(one)).toEqual([]);
  });

  it('has the membership log that members have named', async () => {
    const short = copyOf(archive);
    // Cyn's joining was left out; she is a recipient of each epoch.
    await editLines(short, 'data/membership.jsonl', (lines) => lines.slice(0, -1));
    expect(await codes(short, {}, {})).toContain('membership-mismatch');
    const { size, root } = replay(primitives, source.world.wires.slice(0, -1));
    const agreed = await codes(
      short,
      {},
      { manifest: (manifest) => ({ ...manifest, membership: { size, root } }) },
    );
    expect(agreed).toEqual(['membership-cut', 'membership-cut', 'membership-cut']);
    const hole = copyOf(archive);
    await editLines(hole, 'data/membership.jsonl', ([first, , ...lines]) =>
      [first, ...lines].map((line, index) => ({ ...line, index })),
    );
    expect(await codes(hole, {}, {})).toContain('membership-refused');
  });

  it('has no note of another membership log, or of more of it', async () => {
    const noted = async (edit: (checkpoint: LogCheckpoint) => LogCheckpoint) => {
      const { org, size, root } = source.world.state;
      const text = checkpointText(edit({ origin: originOf(org), size, root, mapRoot: null }));
      const { signer } = deviceOf(source, 0);
      const key = logSignature(primitives, signer, parseCheckpointText(text));
      const note = assembleNote(text, [key]);
      const copy = copyOf(archive);
      copy.files.set('data/checkpoint.txt', note);
      return codes(copy, {}, {});
    };
    expect(await noted((checkpoint) => checkpoint)).toEqual([]);
    expect(await noted((checkpoint) => ({ ...checkpoint, size: checkpoint.size + 1 }))).toEqual([
      'membership-cut',
    ]);
    expect(await noted((checkpoint) => ({ ...checkpoint, size: 1 }))).toEqual(['checkpoint-mismatch']);
    const other = originOf('ab'.repeat(32) as typeof source.org);
    expect(await noted((checkpoint) => ({ ...checkpoint, origin: other }))).toEqual(['checkpoint-mismatch']);
    const garbage = copyOf(archive);
    garbage.files.set('data/checkpoint.txt', Uint8Array.of(10));
    expect(await codes(garbage, {}, {})).toEqual(['malformed']);
  });

  it('lacks no entry before the newest closing', async () => {
    for (const seq of [2, 3, 5, 6]) {
      const cut = memoryDestination();
      await exportArchive({ ...byBo(source, without(source, seq)), destination: cut });
      expect(new Set(await codes(cut))).toEqual(new Set(['forked']));
    }
    const both = memoryDestination();
    await exportArchive({ ...byBo(source, without(source, 5, 6, 7, 8)), destination: both });
    // Nothing that is left speaks of the end.
    expect(await codes(both)).toEqual([]);
  });

  it('says up to where members have signed that this is the log', async () => {
    expect((await verify(archive)).groups).toMatchObject([
      { firstSeq: 1, throughSeq: 8, provenThrough: [{ seq: 6, members: 1, devices: 1 }] },
    ]);
  });

  it('has no statement that its author has not made, or that does not follow', async () => {
    const closing = { group: { size: 3, root: rootOf(primitives, source.treeAt(3)) }, senders: [] };
    const own = await statementBy(1, statementAt(4), closing);
    const replaced = await exported(own);
    // The founder's next one names another.
    expect(await codes(replaced)).toEqual(['statement-refused']);
    const forkedAt = { group: { size: 3, root: new Uint8Array(32) }, senders: [] };
    expect(await codes(await exported(await statementBy(1, statementAt(4), forkedAt)))).toEqual([
      ...['statement-refused', 'forked'],
    ]);
    const ahead = { group: { size: 100, root: new Uint8Array(32) }, senders: [] };
    expect(await codes(await exported(await statementBy(1, statementAt(4), ahead)))).toContain('forked');
    const broken = wireAt(4).slice();
    broken[broken.length - 1]! ^= 1;
    expect(await codes(await exported(broken))).toEqual(['statement-refused', 'statement-refused']);
  });

  it('has statements that are the entries at their seqs', async () => {
    const swapped = copyOf(archive);
    await editLines(swapped, nameOf(archive, 'statements.jsonl'), ([one, two, three]) => [
      one,
      { ...two, statement: three.statement },
      { ...three, statement: two.statement },
    ]);
    expect(new Set(await codes(swapped, {}, {}))).toEqual(
      new Set(['statement-mismatch', 'statement-refused']),
    );
    const moved = copyOf(archive);
    await editLines(moved, nameOf(archive, 'statements.jsonl'), ([one, two, three]) => [
      one,
      { ...two, seq: 5 },
      three,
    ]);
    expect(await codes(moved, {}, {})).toEqual(['statement-mismatch']);
    const fewer = copyOf(archive);
    await editLines(fewer, nameOf(archive, 'statements.jsonl'), (lines) => lines.slice(0, 2));
    expect(await codes(fewer, {}, {})).toEqual(['count-mismatch']);
  });

  it('has segments that tile the log, each with all its parts', async () => {
    const two = copyOf(archive);
    await split(two, 4);
    expect(await codes(two, {}, {})).toEqual([]);
    const [first, second] = ['1-000000000004', '5-000000000008'];
    for (const part of ['age', 'json', 'keys.age', 'leaves', 'statements.jsonl']) {
      const lacking = copyOf(two);
      lacking.files.delete(nameOf(two, `${first}.${part}`));
      expect(await codes(lacking, {}, {})).toContain('missing-file');
    }
    const gap = copyOf(two);
    const overlap = copyOf(two);
    for (const part of ['.age', '.json', '.keys.age', '.leaves', '.statements.jsonl']) {
      gap.files.delete(nameOf(two, second + part));
      const name = nameOf(two, first + part);
      const shifted = name.replace('1-000000000004', '3-000000000006');
      overlap.files.set(shifted, two.files.get(name) as Uint8Array);
    }
    expect(await codes(gap, {}, {})).toEqual([
      ...['segment-gap', 'root-mismatch', 'count-mismatch', 'attachment-unnamed'],
    ]);
    expect((await codes(overlap, {}, {})).filter((code) => code === 'segment-overlap')).toHaveLength(1);
    const swapped = copyOf(two);
    const [one, other] = [nameOf(two, `${first}.leaves`), nameOf(two, `${second}.leaves`)];
    swapped.files.set(one, two.files.get(other) as Uint8Array);
    swapped.files.set(other, two.files.get(one) as Uint8Array);
    expect(await codes(swapped, {}, {})).toContain('root-mismatch');
  });

  it('has as many leaves as entries, each statement at its own', async () => {
    const leaves = nameOf(archive, '.leaves');
    const whole = archive.files.get(leaves) as Uint8Array;
    const told: Record<string, string[]> = {};
    for (const [what, bytes] of Object.entries({
      shorter: whole.slice(0, -1),
      'one fewer': whole.slice(0, -32),
      'one more': new Uint8Array([...whole, ...whole.subarray(0, 32)]),
      longer: new Uint8Array([...whole, 0]),
      none: new Uint8Array(),
    })) {
      const copy = copyOf(archive);
      copy.files.set(leaves, bytes);
      told[what] = await codes(copy, {}, {});
      // What there is of it is looked at all the same.
      if (bytes.length > 0) bytes[0]! ^= 1;
      told[`${what}, and another first one`] = await codes(copy, {}, {});
    }
    const malformed = ['malformed', 'root-mismatch', 'count-mismatch', 'attachment-unnamed'];
    const both = ['statement-mismatch', ...malformed];
    expect(told).toEqual({
      ...{ shorter: malformed, 'shorter, and another first one': both },
      ...{ 'one fewer': malformed, 'one fewer, and another first one': both },
      ...{ 'one more': malformed, 'one more, and another first one': both },
      ...{ longer: malformed, 'longer, and another first one': both },
      ...{ none: malformed, 'none, and another first one': malformed },
    });
  });

  it('has counts that add up', async () => {
    const counted = async (edit: (line: Record<string, unknown>) => object) => {
      const copy = copyOf(archive);
      await editLines(copy, nameOf(archive, '8.json'), ([line]) => [{ ...line, ...edit(line) }]);
      return codes(copy, {}, {});
    };
    expect(await counted(({ messages }) => ({ messages: (messages as number) + 1 }))).toEqual([
      ...['count-mismatch', 'count-mismatch'],
    ]);
    // One less said, one more left out: only a filter leaves out.
    expect(await counted(() => ({ messages: 3, skipped: 1 }))).toEqual(['count-mismatch']);
    expect(await counted(() => ({ later: 'added by a newer version' }))).toEqual([]);
    const group = {
      ...signed.manifest.groups[0],
      messages: 3,
      skipped: 1,
    } as SignedManifest['manifest']['groups'][0];
    const agreed = copyOf(archive);
    await editLines(agreed, nameOf(archive, '8.json'), ([line]) => [{ ...line, messages: 3, skipped: 1 }]);
    expect(await codes(agreed, {}, { manifest: (manifest) => ({ ...manifest, groups: [group] }) })).toEqual([
      'count-mismatch',
    ]);
  });

  it('lists the attachments that are named, and has them', async () => {
    const list = 'data/attachments.jsonl';
    const [name] = [...archive.files.keys()].filter((found) => found.startsWith('data/attachments/'));
    const unlisted = copyOf(archive);
    await editLines(unlisted, list, () => []);
    expect(await codes(unlisted, {}, {})).toEqual(['attachment-unlisted', 'attachment-unlisted']);
    const gone = copyOf(archive);
    gone.files.delete(name as string);
    expect(await codes(gone, {}, {})).toEqual(['missing-file']);
    await editLines(gone, list, ([line]) => [{ ...line, missing: 'attachment-gone' }]);
    expect(await codes(gone, {}, {})).toEqual([]);
    expect((await verify(gone)).attachments).toEqual({ present: 0, missing: 1 });
    gone.files.set(name as string, archive.files.get(name as string) as Uint8Array);
    expect(await codes(gone, {}, {})).toEqual(['unexpected-file']);
    const unnamed = copyOf(archive);
    await editLines(unnamed, list, (lines) => [
      ...lines,
      { blob: 'f'.repeat(64), sizeBytes: 1, missing: 'x' },
    ]);
    expect(await codes(unnamed, {}, {})).toEqual(['attachment-unnamed']);
  });

  it('is of a version that is known', async () => {
    const copy = copyOf(archive);
    const file = copy.files.get('signed-manifest') as Uint8Array;
    const { bytes } = signed;
    const at = Buffer.from(file).indexOf(bytes.slice(0, 8));
    // [1, …]: the second byte of the array.
    file[at + 1] = 2;
    expect(await codes(copy)).toContain('unsupported-version');
  });

  it('goes on from the archive before, or tells what is missing between them', async () => {
    const later = await someDays();
    const first = memoryDestination();
    const { signed: before } = await exportArchive(optionsFor(later, first));
    await later.day([said(1, 6, { text: 'later' })]);
    const second = memoryDestination();
    const { signed: after } = await exportArchive({ ...optionsFor(later, second), since: before });
    expect(await codes(second, { previous: before })).toEqual([]);
    expect((await verify(second)).groups).toMatchObject([{ firstSeq: 9, provenThrough: [{ seq: 8 }] }]);
    expect(await codes(second, { previous: after })).toEqual(['other-archive', 'segment-overlap']);
    await later.day([said(1, 7, { text: 'later still' })]);
    const third = memoryDestination();
    await exportArchive({ ...optionsFor(later, third), since: after });
    const { findings } = await verify(third, { previous: before });
    expect(findings).toMatchObject([
      { code: 'other-archive' },
      { code: 'stretch-missing', seq: 9, detail: '9-10' },
    ]);
    const filtered = { ...before, manifest: { ...before.manifest, filter: { collections: ['chat'] } } };
    expect(await verify(second, { previous: filtered })).toMatchObject({
      ...{ verdict: 'sound', findings: [{ code: 'previous-filtered', weight: 'note' }] },
    });
  });
});

type SourceDevice = ReturnType<typeof deviceOf>;

function deviceOf({ world }: WorldSource, by: number) {
  const member = world.members[by];
  if (member === undefined) throw new RangeError('no such member');
  return member.devices[0];
}

function edited(forger: Partial<Forger>): MemoryDestination {
  const copy = copyOf(archive);
  forged(copy, { signers: [deviceOf(source, 1)], ...forger });
  return copy;
}

function wireAt(seq: number): Uint8Array {
  const entry = source.log[seq - 1] as Extract<SourceEntry, { kind: 'statement' }>;
  return entry.wire;
}

function statementAt(seq: number): EpochStatement {
  return parseEpochStatement(primitives, wireAt(seq));
}

/** What another could have started in place of an epoch. */
async function statementBy(
  by: number,
  like: EpochStatement,
  closing: EpochStatement['closing'],
): Promise<Uint8Array> {
  const { world } = source;
  const { id: author, signer } = deviceOf(source, by);
  const { statement } = await createEpoch({
    ...{ primitives, random: nodeRandom, ...like, author, signer, closing },
    previous: { epoch: like.epoch - 1, hash: like.previousHash },
    recipients: recipientsOf(world.state, like.group).map(({ device, sealingPublicKey }) => {
      return { device, encapsulator: primitives.encapsulator(sealingPublicKey) };
    }),
  });
  return statement;
}

/** The log with another statement at seq 4. */
async function exported(wire: Uint8Array): Promise<MemoryDestination> {
  const destination = memoryDestination();
  const log = source.log.map((entry): SourceEntry =>
    entry.seq === 4 ? { kind: 'statement', seq: 4, wire } : entry,
  );
  const what: ExportSource = {
    ...source,
    async *entries(_group, fromSeq, throughSeq) {
      yield* log.slice(fromSeq - 1, throughSeq);
    },
  };
  await exportArchive({ ...byBo(source, what), destination });
  return destination;
}

async function codes(
  files: MemoryDestination,
  options: Partial<VerifyOptions> = {},
  forger: Partial<Forger> | null = null,
): Promise<string[]> {
  if (forger !== null) forged(files, { signers: [deviceOf(source, 1)], ...forger });
  return (await verify(files, options)).findings.map(({ code }) => code);
}

function verify(files: MemoryDestination, options: Partial<VerifyOptions> = {}): Promise<ArchiveReport> {
  return verifyArchive({ primitives, files, ...options });
}
