import {
  openEpoch,
  openMessage,
  parseEpochStatement,
  rootOf,
  sealMessage,
  Secret,
  encodeCbor,
  type CborValue,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { recipientsOf } from '@keytide/key-directory';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  exportArchive,
  hybridIdentity,
  openAge,
  verifyArchive,
  type ArchivedGroup,
  type EpochKey,
  type ExportSource,
  type SignedManifest,
  type SourceEntry,
  type VerifyOptions,
} from '../../src/index.ts';
import { encodeLine } from '../../src/container/json-lines.ts';
import { identities, optionsFor, said } from '../exporting.ts';
import { copyOf, editLines, forged, nameOf, sealed, split, without } from '../forging.ts';
import { memoryDestination, type MemoryDestination } from '../memory-destination.ts';
import { worldSource, type WorldSource } from '../world-source.ts';

type Line = Record<string, unknown>;
type Message = Extract<SourceEntry, { kind: 'message' }>;

const PHOTO = 'data/attachments/';
let source: WorldSource;
let archive: MemoryDestination;
let signed: SignedManifest;

beforeAll(async () => {
  source = worldSource('opened');
  await source.day([
    said(0, 1, { text: 'hello' }),
    said(1, 1, { text: 'hi' }),
    said(1, 1, { text: 'again' }),
  ]);
  await source.day([{ ...said(2, 1, { text: 4 }), invalid: 'schema' }, said(1, 1, { text: 'ho' })]);
  const photos = [new Uint8Array(70_000).fill(1), Uint8Array.of(7)];
  await source.day([{ ...said(0, 5, { photo: 1 }), attachments: photos }, said(1, 6, { text: 'seen' })]);
  archive = memoryDestination();
  ({ signed } = await exportArchive(optionsFor(source, archive)));
});

describe('an archive that is opened', () => {
  it('is what was sent, all of it', async () => {
    const report = await verify(archive);
    expect(report).toMatchObject({ verdict: 'sound', findings: [], attachments: { present: 2, missing: 0 } });
    expect(report.levels.at(-1)).toBe('decryption');
    expect(report.decryption).toEqual({
      ...{ sample: null, segments: { opened: 1, total: 1 }, attachments: { opened: 2, total: 2 } },
    });
    // The newest message names the log before it, and each member has said something.
    expect(report.groups[0]?.provenThrough).toEqual([
      { seq: 9, members: 1, devices: 1 },
      { seq: 8, members: 2, devices: 2 },
      { seq: 5, members: 3, devices: 3 },
    ]);
  });

  it('says of each message what its envelope says', async () => {
    const other = {
      sender: deviceOf(1).id,
      member: source.world.members[1]?.id,
      role: 'exporter',
      counter: 9,
    };
    for (const [field, value] of Object.entries(other))
      expect(await edited(({ ...line }) => ({ ...line, [field]: value }))).toContain(
        `message-mismatch ${field}`,
      );
    expect(await edited((line) => ({ ...line, channel: '00'.repeat(16) }))).toEqual([
      'message-mismatch channel',
    ]);
    const said2 = [1, 0, 'chat', '', 1, 0, { text: 'hello!' }];
    expect(await edited((line) => ({ ...line, content: said2 }))).toEqual(['message-mismatch content']);
    expect(await edited((line) => ({ ...lineWithout(line, 'content'), payload: 'AA' }))).toEqual([
      'message-mismatch content',
    ]);
    const text = { content: [1, 0, 'chat', '', 1, 0, { text: 'made up' }] };
    expect(await edited((line) => ({ ...line, ...text, epoch: 2 }))).toContain('message-mismatch epoch');
    expect(await edited((line) => ({ ...line, ...text, epoch: 0 }))).toContain('malformed malformed');
    const blind = ({ seq, envelope }: Line) => ({ seq, envelope, epoch: null, unreadable: 'tampered' });
    expect(await edited(blind)).toContain('message-mismatch epoch');
    expect(await edited((line) => lineWithout(line, 'sender'))).toContain('malformed malformed');
    expect(await edited((line) => ({ ...line, later: 'by a newer version' }))).toEqual([]);
  });

  it('has the envelopes of its leaves, in their order', async () => {
    const lines = async (edit: (lines: Line[]) => Line[]) => {
      const copy = copyOf(archive);
      await editLines(copy, segment(), edit);
      return codes(copy, true);
    };
    const exchanged = ([one, two, ...rest]: Line[]) => [
      { ...one, envelope: two?.['envelope'] },
      { ...two, envelope: one?.['envelope'] },
      ...(rest as Line[]),
    ];
    expect(await lines(exchanged)).toEqual(
      expect.arrayContaining(['line-mismatch', 'line-mismatch', 'message-mismatch sender']),
    );
    expect(await lines(([one, ...rest]) => [...rest, one as Line])).toContain('line-mismatch');
    expect(await lines((all) => [...all, all[0] as Line])).toEqual(['line-mismatch']);
    expect(await lines((all) => all.filter((_, index) => index !== 2))).toContain('count-mismatch');
    expect(await lines((all) => all.map((line) => lineWithout(line, 'invalid')))).toEqual(['count-mismatch']);
  });

  it('has the keys of its epochs', async () => {
    const keys = nameOf(archive, 'keys.age');
    const other = copyOf(archive);
    await editLines(other, keys, ([one, two, three]) => [one, { ...two, key: three['key'] }, three]);
    expect(await codes(other, true)).toEqual(['key-mismatch 2', 'key-missing 2', 'key-missing 2']);
    const fewer = copyOf(archive);
    await editLines(fewer, keys, ([, two, three]) => [two, three]);
    expect(await codes(fewer, true)).toEqual(['key-missing 1', 'key-missing 1', 'key-missing 1']);
    const unknown = copyOf(archive);
    await editLines(unknown, keys, ([one, two, three]) => [one, two, three, { ...three, epoch: 4 }]);
    expect(await codes(unknown, true)).toEqual(['key-mismatch 4']);
  });

  it('is told from one that is sealed to other keys, by its exporter’s signature alone', async () => {
    const foreign = hybridIdentity(primitives, primitives.decapsulator(new Uint8Array(32).fill(1)));
    const refused = expect.objectContaining({ code: 'no-identity' });
    for (const quick of [true, false])
      await expect(verify(archive, { identities: [foreign], quick })).rejects.toEqual(refused);
    expect(await codes(archive, false, { identities: [foreign, ...identities] })).toEqual([]);
    const beside = copyOf(archive);
    beside.files.set('.DS_Store', Uint8Array.of(1));
    await expect(verify(beside, { identities: [foreign] })).rejects.toEqual(refused);
    // One that nobody entitled has signed may name any recipient.
    const unsigned = copyOf(archive);
    const manifest = unsigned.files.get('signed-manifest') as Uint8Array;
    manifest[manifest.length - 1]! ^= 1;
    expect(await codes(unsigned, false, { identities: [foreign] })).toContain('not-opened no-identity');
    // Nor does an exporter get away with naming a recipient that it has not sealed to.
    const { publicKey: _, ...unknown } = foreign;
    expect(new Set(await codes(archive, false, { identities: [unknown] }))).toEqual(
      new Set(['not-opened no-identity']),
    );
  });

  it('lacks nothing that a message behind it names', async () => {
    const cut = memoryDestination();
    await exportArchive({ ...optionsFor(source, cut), source: without(source, 9) });
    expect((await verifyArchive({ primitives, files: cut })).verdict).toBe('sound');
    expect(await codes(cut)).toEqual([expect.stringContaining('forked')]);
    // Behind the end there is nothing that could tell.
    const short = memoryDestination();
    await exportArchive({ ...optionsFor(source, short), source: without(source, 10) });
    expect(await codes(short)).toEqual([]);
  });

  it('bears a member who lies about the log, where more others have signed it, and no other', async () => {
    const many = worldSource('a liar', 5);
    await many.day([said(0, 1, { text: 'a' }), said(1, 1, { text: 'b' })]);
    await many.day([said(1, 2, { text: 'c' })], 4);
    const liar = many.world.members[4]?.devices[0].id;
    const [early, later] = [memoryDestination(), memoryDestination()];
    await exportArchive(optionsFor(many, early));
    expect(await codes(early)).toEqual([`forked ${liar}`]);
    // Ada exports: it is Bo's and Cy's words that outweigh one.
    await many.day([said(0, 3, { text: 'd' }), said(1, 3, { text: 'e' }), said(2, 3, { text: 'f' })]);
    await exportArchive(optionsFor(many, later));
    expect(await codes(later)).toEqual([`word-against ${liar}`]);
    expect(await verify(later)).toMatchObject({ verdict: 'sound', findings: [{ weight: 'note', seq: 4 }] });
    // Nor is it more where the liar feigns to have known none of them: it had the epoch's key.
    const message = worldSource('a message', 5);
    await message.day([said(0, 1, { text: 'a' }), { ...said(4, 1, { text: 'b' }), isLie: true }]);
    await message.day([said(1, 2, { text: 'c' }), said(2, 2, { text: 'd' })]);
    const feigned = memoryDestination();
    await exportArchive(optionsFor(message, feigned));
    expect(await codes(feigned)).toEqual([`word-against ${message.world.members[4]?.devices[0].id}`]);
    // Without a key nothing is known of what they wrote.
    expect((await verifyArchive({ primitives, files: later })).verdict).toBe('unsound');
  });

  it('takes no word against a member from whoever came after it', async () => {
    const many = worldSource('newcomers', 5);
    await many.day([said(0, 1, { text: 'a' }), said(1, 1, { text: 'b' })]);
    await many.day([said(1, 2, { text: 'c' })], 4);
    const dissenter = many.world.members[4]?.devices[0].id;
    for (let i = 0; i < 3; i += 1) many.admit();
    await many.day([5, 6, 7].map((by) => said(by, 3, { text: 'it was this log' })));
    const sided = memoryDestination();
    await exportArchive(optionsFor(many, sided));
    expect(await codes(sided)).toEqual([`forked ${dissenter}`]);
    await many.day([1, 2].map((by) => said(by, 4, { text: 'it was' })));
    const settled = memoryDestination();
    await exportArchive(optionsFor(many, settled));
    expect(await codes(settled)).toEqual([`word-against ${dissenter}`]);
  });

  it('is what its senders signed', async () => {
    const forgery = await appended((keys, by) => seal(keys, by, { signer: deviceOf(2).signer }));
    expect(await codes(forgery)).toEqual(['not-authentic bad-signature']);
    expect(await codes(await appended((keys, by) => seal(keys, by, {})))).toEqual([]);
    const last = source.log[9] as Message;
    const replayed = await appended(() => last.envelope);
    expect(await codes(replayed)).toEqual(['chain-mismatch replayed']);
    const skipped = await appended((keys, by) => seal(keys, by, { counter: 8 }), 8);
    const { verdict, findings } = await verify(skipped);
    expect(verdict).toBe('sound');
    expect(findings).toMatchObject([
      { code: 'messages-missing', weight: 'note', seq: 11, detail: `${deviceOf(1).id} 4-7` },
    ]);
    const { size } = source.world.state;
    const cut = await appended((keys, by) =>
      seal(keys, by, { directory: { size: size + 1, root: new Uint8Array(32) } }),
    );
    expect(await codes(cut)).toEqual([`membership-cut ${size + 1}`]);
    const fork = await appended((keys, by) =>
      seal(keys, by, { directory: { size, root: new Uint8Array(32) } }),
    );
    expect(await codes(fork)).toEqual([`membership-fork ${size}`]);
    const ahead = await appended((keys, by) =>
      seal(keys, by, { group: { size: 40, root: new Uint8Array(32) } }),
    );
    expect(await codes(ahead)).toEqual([`forked ${deviceOf(1).id}`]);
  });

  it('tells what could be read, and goes on over what cannot', async () => {
    const copy = copyOf(archive);
    await editLines(copy, segment(), ([one, two, three, ...rest]) => [
      ...[one, two, { seq: three['seq'], envelope: three['envelope'], epoch: 1, unreadable: 'ask-an-admin' }],
      ...rest,
    ]);
    await counts(copy, ({ messages }) => ({
      messages: (messages as number) - 1,
      unreadable: { 'ask-an-admin': 1 },
    }));
    const { messages: before, ...group } = signed.manifest.groups[0] as ArchivedGroup;
    expect(await codes(copy, { ...group, messages: before - 1, unreadable: 1 })).toEqual([
      'readable ask-an-admin',
    ]);
    // What every device that has the key shows is not to be called anything else.
    const blind = copyOf(archive);
    await editLines(blind, segment(), ([one, two, three, ...rest]) => [
      ...[one, two, { seq: three['seq'], envelope: three['envelope'], epoch: 1, unreadable: 'tampered' }],
      ...rest,
    ]);
    await counts(blind, ({ messages }) => ({
      messages: (messages as number) - 1,
      unreadable: { tampered: 1 },
    }));
    expect(await codes(blind, { ...group, messages: before - 1, unreadable: 1 })).toEqual([
      'message-mismatch tampered',
    ]);
    const poisoned = without(source);
    const what: ExportSource = {
      ...poisoned,
      async *entries(...range) {
        for await (const entry of poisoned.entries(...range)) {
          if (entry.seq === 9)
            yield {
              ...entry,
              kind: 'unreadable',
              code: 'tampered',
              epoch: null,
              envelope: Uint8Array.of(1),
            } as SourceEntry;
          else if (entry.seq === 10) yield { kind: 'statement', seq: 10, wire: Uint8Array.of(1) };
          else yield entry;
        }
      },
    };
    const hostile = memoryDestination();
    await exportArchive({ ...optionsFor(source, hostile), source: what });
    expect(await codes(hostile)).toEqual(['statement-refused malformed']);
  });

  it('has in it what its filter takes, and that alone', async () => {
    const [, bo] = source.world.members;
    const filter = { members: [bo?.id as string] };
    const filtered = memoryDestination();
    const { signed: own } = await exportArchive({ ...optionsFor(source, filtered), filter });
    expect(await codes(filtered)).toEqual([]);
    const claimed = copyOf(archive);
    forged(claimed, { signers: [deviceOf(0)], manifest: (manifest) => ({ ...manifest, filter }) });
    expect(new Set(await codes(claimed))).toEqual(new Set(['filter-mismatch']));
    // One of Bo's own was left out as well.
    await editLines(filtered, segment(), ([one, , ...rest]) => [one, ...rest]);
    await counts(filtered, ({ messages, skipped }) => {
      return { messages: (messages as number) - 1, skipped: (skipped as number) + 1 };
    });
    const { messages, skipped, ...group } = own.manifest.groups[0] as ArchivedGroup;
    const changed = { ...group, messages: messages - 1, skipped: skipped + 1 };
    expect(await codes(filtered, changed)).toEqual([`filter-exceeded ${deviceOf(1).id} 1-1`]);
  });

  it('has the attachments that their senders described', async () => {
    const [one, two] = [...archive.files.keys()].filter((name) => name.startsWith(PHOTO)) as [string, string];
    const exchanged = copyOf(archive);
    exchanged.files.set(one, archive.files.get(two) as Uint8Array);
    exchanged.files.set(two, archive.files.get(one) as Uint8Array);
    expect(await codes(exchanged, true)).toEqual(['content-mismatch', 'content-mismatch']);
    const photo = [one, two].find(
      (name) => (archive.files.get(name) as Uint8Array).length > 70_000,
    ) as string;
    for (const content of [
      new Uint8Array(70_000),
      new Uint8Array(69_999).fill(1),
      new Uint8Array(70_001).fill(1),
    ]) {
      const copy = copyOf(archive);
      copy.files.set(photo, await sealed([content]));
      expect(await codes(copy, true)).toEqual(['content-mismatch']);
    }
    const named = copyOf(archive);
    await counts(named, () => ({ attachments: ['ab'.repeat(32)] }));
    await editLines(named, 'data/attachments.jsonl', () => [
      { blob: 'ab'.repeat(32), sizeBytes: 1, missing: 'x' },
    ]);
    for (const name of [one, two]) named.files.delete(name);
    expect(await codes(named, true)).toEqual(['attachments-mismatch', 'attachment-passed-over 2']);
    const sized = copyOf(archive);
    await editLines(sized, 'data/attachments.jsonl', ([first, second]) => [
      first,
      { ...second, sizeBytes: 3 },
    ]);
    expect(await codes(sized, true)).toEqual(['content-mismatch']);
  });

  it('is opened in part by a seed, and always in the same part', async () => {
    const two = copyOf(archive);
    await split(two, 5);
    const second = nameOf(two, '6-000000000010.age');
    forged(two, { signers: [deviceOf(0)] });
    const names = new Set<string>();
    for (const seed of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
      const damaged = copyOf(two);
      damaged.files.set(second, await sealed([encodeLine({ seq: 6 })]));
      forged(damaged, { signers: [deviceOf(0)] });
      const sample = { fraction: 0.5, seed };
      expect((await verify(two, { sample })).findings).toEqual([]);
      const report = await verify(damaged, { sample });
      expect(report.decryption).toMatchObject({ sample, segments: { opened: 1, total: 2 } });
      expect((await verify(damaged, { sample })).findings).toEqual(report.findings);
      names.add(report.findings.length > 0 ? 'second' : 'first');
    }
    expect(names).toEqual(new Set(['first', 'second']));
  });

  it('is authentic over the ends of windows, and tells what another archive is needed for', async () => {
    const long = worldSource('long');
    await long.day(Array.from({ length: 1_200 }, (_, i) => said(i % 3, i, { text: 'x' })));
    const first = memoryDestination();
    const { signed: since } = await exportArchive(optionsFor(long, first));
    expect(await codes(first)).toEqual([]);
    // The next archive begins in the middle of an epoch: its last messages are of the one before.
    const late = long.log.at(-1) as Message;
    await long.day([said(0, 1, { text: 'y' })]);
    const what: ExportSource = {
      ...long,
      groups: async () => (await long.groups()).map((group) => ({ ...group, throughSeq: 1_204 })),
      async *entries(group, from, through) {
        yield* long.entries(group, from, through);
        yield { ...late, seq: 1_204 };
      },
    };
    // Statement 1,202 is the newest before a third archive, of which the late message is all.
    const third = memoryDestination();
    const { signed: again } = await exportArchive({ ...optionsFor(long, third), since });
    expect(again.manifest.groups[0]?.throughSeq).toBe(1_203);
    const last = memoryDestination();
    await exportArchive({ ...optionsFor(long, last), source: what, since: again });
    expect(await codes(last)).toEqual(['epoch-before 1']);
    expect((await verify(last)).verdict).toBe('sound');
  });

  it('is not cut at any chunk, or at any byte of the last one', async () => {
    const CHUNK = 65_536 + 16;
    const long = copyOf(archive);
    await editLines(long, segment(), ([one, ...rest]) => [{ ...one, pad: 'x'.repeat(131_000) }, ...rest]);
    const plain = await opened(long);
    // The last chunk has ten bytes.
    const more = 65_536 - ((plain.length - 10) % 65_536);
    await editLines(long, segment(), ([one, ...rest]) => [
      { ...one, pad: 'x'.repeat(131_000 + more) },
      ...rest,
    ]);
    const whole = long.files.get(segment()) as Uint8Array;
    const last = whole.length - 26;
    for (let size = last; size < whole.length; size += 1) await expectCut(long, size);
    for (let size = last; size > 0; size -= CHUNK) await expectCut(long, size);
    expect(await codes(long, true)).toEqual([]);
  });
});

async function expectCut(long: MemoryDestination, size: number): Promise<void> {
  const cut = copyOf(long);
  cut.files.set(segment(), (long.files.get(segment()) as Uint8Array).slice(0, size));
  expect(await codes(cut, true)).toContain('not-opened damaged');
}

async function opened(files: MemoryDestination): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of openAge(files.read(segment()), { primitives, identities }))
    pieces.push(piece.slice());
  return new Uint8Array(Buffer.concat(pieces));
}

function segment(): string {
  return nameOf(archive, '10.age');
}

function deviceOf(by: number) {
  const member = source.world.members[by];
  if (member === undefined) throw new RangeError('no such member');
  return member.devices[0];
}

/** What is found where the first line is another. */
async function edited(edit: (line: Line) => Line): Promise<string[]> {
  const copy = copyOf(archive);
  await editLines(copy, segment(), ([one, ...rest]) => [edit(one), ...rest]);
  return codes(copy, true);
}

function lineWithout(line: Line, field: string): Line {
  return Object.fromEntries(Object.entries(line).filter(([name]) => name !== field));
}

async function counts(files: MemoryDestination, edit: (summary: Line) => Line): Promise<void> {
  await editLines(files, nameOf(archive, '10.json'), ([line]) => [{ ...line, ...edit(line) }]);
}

interface Sealing {
  readonly signer?: ReturnType<typeof deviceOf>['signer'];
  readonly counter?: number;
  readonly directory?: { readonly size: number; readonly root: Uint8Array };
  readonly group?: { readonly size: number; readonly root: Uint8Array };
}

/** Bo's next message, in the newest epoch. */
function seal({ statement, key }: EpochKey, content: CborValue, sealing: Sealing): Uint8Array {
  const { signer = deviceOf(1).signer, counter = 4 } = sealing;
  const { world } = source;
  const last = source.log[9] as Message;
  const of = parseEpochStatement(
    primitives,
    (source.log[7] as Extract<SourceEntry, { kind: 'statement' }>).wire,
  );
  expect(of.hash).toEqual(statement);
  // Whoever has the epoch's key can seal in anybody's name.
  const openedBy = (bo: Uint8Array) =>
    openEpoch({
      ...{ primitives, statement: of, key: Secret.own(key.use((bytes) => bytes.slice())) },
      devices: recipientsOf(world.state, of.group).map(({ device, signingPublicKey }) => {
        const publicKey = device === deviceOf(1).id ? bo : signingPublicKey;
        return { device, verifier: primitives.verifier(publicKey) };
      }),
    });
  const { link } = openMessage(openedBy(deviceOf(1).signer.publicKey), last.envelope);
  return sealMessage(openedBy(signer.publicKey), {
    ...{
      signer,
      sender: deviceOf(1).id,
      channel: last.channel,
      counter,
      random,
      payload: encodeCbor(content),
    },
    previousLink: link,
    heads: {
      directory: sealing.directory ?? { size: world.state.size, root: world.state.root },
      group: sealing.group ?? { size: 10, root: rootOf(primitives, source.treeAt(10)) },
    },
  }).envelope;
}

/** The log with one more entry that passes for Bo's. */
async function appended(
  make: (key: EpochKey, content: CborValue) => Uint8Array,
  counter = 4,
): Promise<MemoryDestination> {
  const keys: EpochKey[] = [];
  const last = source.log[9] as Message;
  for await (const key of source.epochKeys(source.world.state.everyone)) keys.push(key);
  const content = [1, 0, 'chat', '', 7, 0, { text: 'made up' }];
  const envelope = make(keys[2] as EpochKey, content);
  const isReplay = envelope === last.envelope;
  const entry: Message = {
    ...last,
    ...{ seq: 11, envelope },
    ...(!isReplay && { counter, payload: encodeCbor(content) }),
  };
  const destination = memoryDestination();
  const all = [...source.log, entry];
  const what: ExportSource = {
    ...source,
    groups: async () => (await source.groups()).map((group) => ({ ...group, throughSeq: 11 })),
    async *entries(_group, from, through) {
      yield* all.slice(from - 1, through);
    },
  };
  await exportArchive({ ...optionsFor(source, destination), source: what });
  return destination;
}

/** Codes and details. `change` signs it anew, as it is or with another group. */
async function codes(
  files: MemoryDestination,
  change: boolean | ArchivedGroup = false,
  options: Partial<VerifyOptions> = {},
): Promise<string[]> {
  const edit = (manifest: SignedManifest['manifest']) =>
    typeof change === 'object' ? { ...manifest, groups: [change] } : manifest;
  if (change !== false) forged(files, { signers: [deviceOf(0)], manifest: edit });
  const { findings } = await verify(files, options);
  return findings.map(({ code, detail }) => (detail === null ? code : `${code} ${detail}`));
}

function verify(files: MemoryDestination, options: Partial<VerifyOptions> = {}) {
  return verifyArchive({ primitives, files, identities, ...options });
}
