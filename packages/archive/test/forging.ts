import { concatBytes } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import type { SeededDevice } from '@keytide/testkit';
import { encodeBagInfo, encodeManifestFile, TAG_FILES } from '../src/container/bag.ts';
import { encodeLines, readLines } from '../src/container/json-lines.ts';
import {
  NAMES,
  PAYLOAD,
  segmentFile,
  segmentOf,
  type SegmentPart,
  type Stretch,
} from '../src/container/names.ts';
import {
  encodeManifest,
  encodeSignedManifest,
  parseSignedManifest,
  signManifest,
  type ArchiveManifest,
} from '../src/container/signed-manifest.ts';
import type { SegmentSummary } from '../src/export/segment.ts';
import { openAge, sealAge, type ByteStream, type ExportSource, type SourceGroup } from '../src/index.ts';
import { archiveKey, identities } from './exporting.ts';
import { memoryDestination, type MemoryDestination } from './memory-destination.ts';
import type { WorldSource } from './world-source.ts';

/** The same files once more. */
export function copyOf({ files }: MemoryDestination): MemoryDestination {
  const copy = memoryDestination();
  for (const [name, bytes] of files) copy.files.set(name, bytes.slice());
  return copy;
}

/** Who makes up an archive: signs first, and the others after. */
export interface Forger {
  readonly signers: readonly Pick<SeededDevice, 'id' | 'signer'>[];
  readonly manifest?: (manifest: ArchiveManifest) => ArchiveManifest;
}

/** Makes everything fit to the files below `data/` again, as an exporter could. */
export function forged(
  archive: MemoryDestination,
  { signers, manifest: edit = (same) => same }: Forger,
): void {
  const { files } = archive;
  const digests = (isWanted: (name: string) => boolean) =>
    new Map(
      [...files]
        .filter(([name]) => isWanted(name))
        .map(([name, bytes]) => [name, { sizeBytes: bytes.length, sha256: primitives.sha256(bytes) }]),
    );
  const payload = digests((name) => name.startsWith(PAYLOAD));
  const list = encodeManifestFile(payload);
  files.set(NAMES.manifest, list);
  const before = parseSignedManifest(files.get(NAMES.signedManifest) as Uint8Array).manifest;
  const manifest = edit({
    ...before,
    device: (signers[0] as SeededDevice).id,
    manifestHash: primitives.sha256(list),
    files: {
      count: payload.size,
      sizeBytes: [...payload.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    },
  });
  const bytes = encodeManifest(manifest);
  const signatures = signers.map(({ id, signer }) => {
    return { device: id, signature: signManifest(primitives, signer, bytes) };
  });
  files.set(NAMES.signedManifest, encodeSignedManifest(bytes, signatures));
  files.set(NAMES.bagInfo, encodeBagInfo(manifest));
  files.set(NAMES.tagManifest, encodeManifestFile(digests((name) => TAG_FILES.includes(name))));
}

/** A log of which the relay, or whoever exports it, shows only some entries, as if there were no others. */
export function without(source: WorldSource, ...seqs: readonly number[]): ExportSource {
  const shown = source.log
    .filter(({ seq }) => !seqs.includes(seq))
    .map((entry, index) => ({ ...entry, seq: index + 1 }));
  return {
    ...source,
    async groups() {
      const [group] = await source.groups();
      return [{ ...(group as SourceGroup), throughSeq: shown.length }];
    },
    async *entries(_group, fromSeq, throughSeq) {
      yield* shown.slice(fromSeq - 1, throughSeq);
    },
  };
}

/** Puts what is in the first segment into two, the second of which begins after `last`. */
export async function split(archive: MemoryDestination, last: number): Promise<void> {
  const { files } = archive;
  const [name] = [...files.keys()].filter((found) => found.endsWith('.leaves'));
  const whole = segmentOf(name as string) as NonNullable<ReturnType<typeof segmentOf>>;
  const part = (stretch: Stretch, kind: SegmentPart): string => segmentFile(whole.group, stretch, kind);
  const take = (kind: SegmentPart): Uint8Array => files.get(part(whole, kind)) as Uint8Array;
  const lines = await linesIn(openAge([take('age')], { primitives, identities }));
  const statements = await linesIn([take('statements.jsonl')]);
  const summary = JSON.parse(Buffer.from(take('json')).toString()) as SegmentSummary;
  const leaves = take('leaves');
  const keys = take('keys.age');
  for (const kind of ['age', 'json', 'keys.age', 'leaves', 'statements.jsonl'] as const)
    files.delete(part(whole, kind));
  for (const stretch of [
    { first: whole.first, last },
    { first: last + 1, last: whole.last },
  ]) {
    const isIn = ({ seq }: Line): boolean => seq >= stretch.first && seq <= stretch.last;
    const said = lines.filter(isIn);
    const count = (isWanted: (line: Line) => boolean): number => said.filter(isWanted).length;
    const own = statements.filter(isIn);
    const messages = count(({ unreadable }) => unreadable === undefined);
    const { size: unreadable } = new Set(said.filter(({ unreadable: code }) => code !== undefined));
    const invalid = count(({ invalid: code }) => code !== undefined);
    const skipped = stretch.last - stretch.first + 1 - said.length - own.length;
    const attachments = stretch.first === whole.first ? [] : summary.attachments;
    const json = {
      ...{ ...stretch, messages, invalid: invalid > 0 ? { schema: invalid } : {} },
      ...{ unreadable: unreadable > 0 ? { 'ask-an-admin': unreadable } : {}, skipped },
      ...{ statements: own.length, attachments },
    };
    files.set(
      part(stretch, 'leaves'),
      leaves.slice((stretch.first - whole.first) * 32, (stretch.last - whole.first + 1) * 32),
    );
    files.set(part(stretch, 'statements.jsonl'), await bytesOf(encodeLines(own)));
    // In both: those of the other one's epochs do no harm.
    files.set(part(stretch, 'keys.age'), keys);
    files.set(part(stretch, 'age'), await sealed(encodeLines(said)));
    files.set(part(stretch, 'json'), await bytesOf(encodeLines([json])));
  }
}

/** A line of a segment, or of its statements. */
interface Line {
  readonly seq: number;
  readonly unreadable?: string;
  readonly invalid?: string;
}

async function linesIn(bytes: ByteStream): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of readLines(bytes)) lines.push(line as Line);
  return lines;
}

/** As many as a test takes apart. */
type EditedLines = [EditedLine, EditedLine, EditedLine, ...EditedLine[]];
type EditedLine = Record<string, unknown>;

/** Changes the lines of a file that is sealed, or of one that is not. */
export async function editLines(
  { files }: MemoryDestination,
  name: string,
  edit: (lines: EditedLines) => readonly unknown[],
): Promise<void> {
  const bytes = files.get(name) as Uint8Array;
  const isSealed = name.endsWith('.age');
  const lines = await linesIn(isSealed ? openAge([bytes], { primitives, identities }) : [bytes]);
  const edited = encodeLines(edit(lines as unknown as EditedLines));
  files.set(name, isSealed ? await sealed(edited) : await bytesOf(edited));
}

/** Seals to the archive key of these tests. */
export function sealed(plain: ByteStream): Promise<Uint8Array> {
  const recipients = [primitives.encapsulator(archiveKey.publicKey)];
  return bytesOf(sealAge(plain, { primitives, random: nodeRandom, recipients }));
}

async function bytesOf(pieces: ByteStream): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece.slice());
  return concatBytes(...all);
}

/** The name of the only file that ends like this. */
export function nameOf({ files }: MemoryDestination, end: string): string {
  const names = [...files.keys()].filter((name) => name.endsWith(end));
  if (names.length !== 1) throw new RangeError(`${names.length} files end with ${end}`);
  return names[0] as string;
}
