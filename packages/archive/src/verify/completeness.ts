import {
  concatBytes,
  equalBytes,
  leafHash,
  MAX_STATEMENT_BYTES,
  type DeviceId,
  type EpochStatement,
  type GroupId,
  type MemberId,
} from '@keytide/crypto-core';
import { isActive, type DirectoryState } from '@keytide/key-directory';
import { readLines } from '../container/json-lines.ts';
import { groupFile, type Stretch } from '../container/names.ts';
import { readFile } from '../container/read-file.ts';
import { parseStatementLine } from '../container/statement-line.ts';
import type { ArchivedGroup, ArchiveManifest } from '../container/signed-manifest.ts';
import { ArchiveError } from '../errors.ts';
import type { SegmentSummary } from '../export/segment.ts';
import { withFile, type Check } from './check.ts';
import type { VerifyLevel } from './finding.ts';
import { isLeavesOf, leafAt, leavesOf, logTree, type LogTree } from './log-tree.ts';
import { partsOf, readSummary, sumOf } from './segments.ts';
import { isRefusal, statementRing, type StatementRing } from './statement-ring.ts';

/** What the log of a group has come to, as far as its segments follow each other. */
export interface CheckedGroup {
  readonly archived: ArchivedGroup;
  readonly segments: readonly CheckedSegment[];
  readonly tree: LogTree;
  readonly ring: StatementRing;
  /** The epochs of the statements that count, in order. */
  readonly epochs: readonly CheckedEpoch[];
  /** Up to where each device has said which log it is, in what is signed and in the archive. */
  readonly said: ReadonlyMap<DeviceId, number>;
  /** Takes another device's word for the log's root at a size, said at `seq`. */
  hear(word: Word): void;
  /** Compares all that was heard since. */
  compare(level: VerifyLevel): Promise<void>;
  /** A device has signed something that this log is not. */
  dispute(level: VerifyLevel, word: Pick<Word, 'device' | 'seq' | 'state'>): void;
  /** Says what comes of the words against this log, when there are no more to come. */
  settle(exporter: DeviceId): void;
}

/** An epoch whose statement counts, at its seq; 0 for the one before the archive. */
export interface CheckedEpoch {
  readonly seq: number;
  readonly statement: Pick<EpochStatement, 'org' | 'group' | 'epoch' | 'hash' | 'keyCommitment'>;
  /** The membership log at its checkpoint. */
  readonly state: DirectoryState;
}

/** A segment that is there, with what it says of itself. */
export interface CheckedSegment {
  readonly stretch: Stretch;
  readonly summary: SegmentSummary;
}

/** A device's signed word for the log's root at a size. */
interface Word {
  readonly device: DeviceId;
  readonly seq: number;
  /** The membership log as the device knew it; `undefined` where the archive does not have that much of it. */
  readonly state: DirectoryState | undefined;
  readonly size: number;
  readonly root: Uint8Array;
}

/** Up to which seq how many have signed that this is the log. */
export interface Proven {
  readonly seq: number;
  readonly members: number;
  readonly devices: number;
}

const level = 'completeness';
const MAX_ENTRIES = 65_536;
const STATEMENT = Uint8Array.of(1);

/** Whether a group's log is whole: its segments, its leaves, its statements, and what members have signed of it. */
export async function checkGroup(
  check: Check,
  { archived, filter }: { readonly archived: ArchivedGroup; readonly filter: ArchiveManifest['filter'] },
  {
    states,
    stretches,
  }: { readonly states: readonly DirectoryState[]; readonly stretches: readonly Stretch[] },
  hasFile: (name: string) => boolean,
): Promise<CheckedGroup> {
  const { primitives, files, findings } = check;
  const { group, before, throughSeq } = archived;
  const tree = logTree(primitives, files, archived);
  const ring = statementRing(primitives, states, group);
  const segments: CheckedSegment[] = [];
  const epochs: CheckedEpoch[] = [];
  const said = new Map<DeviceId, number>();
  /** The first of each device. */
  const against = new Map<DeviceId, Pick<Word, 'seq' | 'state'> & { readonly at: VerifyLevel }>();
  let words: Word[] = [];
  const found = (
    code: Parameters<typeof findings.add>[1],
    place: { seq?: number; detail?: string; file?: string },
  ) => findings.add(level, code, { group, ...place });

  async function compare(at: VerifyLevel): Promise<void> {
    const heard = words;
    words = [];
    const roots = await tree.rootsAt(new Set(heard.map(({ size }) => size)));
    for (const word of heard) {
      const { device, seq, size, root } = word;
      const own = roots.get(size);
      // What lies before the archive, or behind a gap, cannot be compared.
      if (size >= seq || (own !== undefined && !equalBytes(own, root))) dispute(at, word);
      else if (own !== undefined) said.set(device, Math.max(said.get(device) ?? 0, size));
    }
  }

  function dispute(at: VerifyLevel, { device, seq, state }: Pick<Word, 'device' | 'seq' | 'state'>): void {
    if (!against.has(device)) against.set(device, { seq, state, at });
  }

  /**
   * One member may lie. Where more others have signed that the log was this one, it is a note. Who exports is not among
   * them, nor is a device that whoever is called a liar did not know: an admin can enrol as many as it likes afterwards.
   */
  function settle(exporter: DeviceId): void {
    const { devices } = states.at(-1) as DirectoryState;
    const memberOf = (device: DeviceId): MemberId | undefined => devices.get(device)?.member;
    const liars = new Set([...against.keys()].map(memberOf));
    for (const [device, { seq, state, at }] of against) {
      const others = [...said]
        .filter(([by, size]) => size >= seq && state !== undefined && isActive(state, by))
        .map(([by]) => memberOf(by));
      const counted = new Set(others.filter((by) => by !== memberOf(exporter) && !liars.has(by)));
      const code = counted.size > liars.size ? 'word-against' : 'forked';
      findings.add(at, code, { group, seq, detail: device });
    }
  }

  function takeStatement(seq: number, wire: Uint8Array): void {
    const result = seq === 0 ? ring.begin(wire) : ring.take(wire);
    if (isRefusal(result)) {
      const file = seq === 0 ? groupFile(group, 'statement-before') : undefined;
      found(result.code, { seq, detail: result.detail, ...(file !== undefined && { file }) });
      return;
    }
    const { org, epoch, hash, keyCommitment } = result.statement;
    // Without the rest of it: there are as many as there were days.
    const statement = { org, group, epoch, hash, keyCommitment: keyCommitment.slice() };
    epochs.push({ seq, state: result.state, statement });
    const { author: device, closing } = result.statement;
    if (seq > 0) words.push({ ...closing.group, device, seq, state: result.state });
  }

  async function takeSegment(stretch: Stretch): Promise<void> {
    const parts = partsOf(group, stretch);
    if (stretch.last - stretch.first >= MAX_ENTRIES) return found('malformed', { file: parts.leaves });
    const missing = Object.values(parts).filter((file) => !hasFile(file));
    for (const file of missing) found('missing-file', { file });
    if (missing.length > 0) return;
    const wires = await statementsOf(check, group, stretch);
    const leaves = await withFile(check, { level, file: parts.leaves }, () =>
      leavesOf(files, group, stretch),
    );
    const isWhole = leaves !== null && isLeavesOf(leaves, stretch);
    for (const [seq, wire] of wires ?? []) {
      const leaf = leaves === null ? null : leafAt(leaves, stretch, seq);
      if (leaf !== null && !equalBytes(leafHash(primitives, concatBytes(STATEMENT, wire)), leaf))
        found('statement-mismatch', { seq, file: parts['statements.jsonl'] });
    }
    if (leaves !== null && !isWhole) found('malformed', { file: parts.leaves });
    const heard = words.length;
    for (const [seq, wire] of wires ?? []) takeStatement(seq, wire);
    // What they say of this segment is compared when all is read; the tree passes it now.
    if (isWhole) tree.add(stretch, leaves, new Set(words.slice(heard).map(({ size }) => size)));
    const summary = await withFile(check, { level, file: parts.json }, () =>
      readSummary(files, group, stretch),
    );
    if (summary === null || wires === null || !isWhole) return;
    if (!addsUp(summary, stretch) || summary.statements !== wires.size)
      found('count-mismatch', { file: parts.json });
    segments.push({ stretch, summary });
  }

  const boxes = groupFile(group, 'boxes.jsonl');
  if (!hasFile(boxes)) found('missing-file', { file: boxes });
  const file = groupFile(group, 'statement-before');
  if (hasFile(file)) {
    if (before.size === 0) found('unexpected-file', { file });
    const wire = await withFile(check, { level, file }, () => readFile(files, file, MAX_STATEMENT_BYTES));
    if (wire !== null) takeStatement(0, wire);
  }
  let next = before.size + 1;
  for (const stretch of stretches) {
    check.tell(level, next - before.size - 1, throughSeq - before.size);
    if (stretch.first < next || stretch.last > throughSeq) {
      found('segment-overlap', { seq: stretch.first, file: partsOf(group, stretch).leaves });
      continue;
    }
    if (stretch.first > next) found('segment-gap', { seq: next, detail: `${next}-${stretch.first - 1}` });
    // Behind a gap the tree cannot go on; what it says of itself is looked at all the same.
    await takeSegment(stretch);
    next = stretch.last + 1;
  }
  if (next <= throughSeq) found('segment-gap', { seq: next, detail: `${next}-${throughSeq}` });
  if (tree.size !== throughSeq || !equalBytes(tree.root, archived.root))
    found('root-mismatch', { detail: `${tree.size}/${throughSeq}` });
  await compare(level);
  if (!sameTotals(archived, segments) || (filter === null && archived.skipped > 0))
    found('count-mismatch', {});
  check.tell(level, throughSeq - before.size, throughSeq - before.size);
  const hear = (word: Word): void => void words.push(word);
  return { archived, segments, tree, ring, epochs, said, hear, compare, dispute, settle };
}

/** The statements of a segment by seq, `null` where the file cannot be read. */
export async function statementsOf(
  check: Check,
  group: GroupId,
  stretch: Stretch,
): Promise<Map<number, Uint8Array> | null> {
  const file = partsOf(group, stretch)['statements.jsonl'];
  return withFile(check, { level, file }, async () => {
    const wires = new Map<number, Uint8Array>();
    let before = stretch.first - 1;
    for await (const value of readLines(check.files.read(file))) {
      const { seq, wire } = parseStatementLine(value);
      if (seq <= before || seq > stretch.last)
        throw new ArchiveError('malformed', 'a statement that is not in its place');
      before = seq;
      wires.set(seq, wire);
    }
    return wires;
  });
}

/** Who has signed that this is the log, up to where: the furthest first. */
export function provenThrough(said: ReadonlyMap<DeviceId, number>, state: DirectoryState): Proven[] {
  const seqs = [...new Set(said.values())].filter((seq) => seq > 0).toSorted((a, b) => b - a);
  return seqs.map((seq) => {
    const devices = [...said].filter(([, size]) => size >= seq).map(([device]) => device);
    const members = new Set<MemberId | undefined>(devices.map((device) => state.devices.get(device)?.member));
    return { seq, members: members.size, devices: devices.length };
  });
}

function addsUp({ first, last, ...summary }: SegmentSummary, stretch: Stretch): boolean {
  const { messages, invalid, unreadable, skipped, statements } = summary;
  return (
    first === stretch.first &&
    last === stretch.last &&
    sumOf(invalid) <= messages &&
    messages + sumOf(unreadable) + skipped + statements === last - first + 1
  );
}

function sameTotals(archived: ArchivedGroup, segments: readonly CheckedSegment[]): boolean {
  const total = (of: (summary: SegmentSummary) => number): number =>
    segments.reduce((sum, { summary }) => sum + of(summary), 0);
  return (
    total(({ messages }) => messages) === archived.messages &&
    total(({ invalid }) => sumOf(invalid)) === archived.invalid &&
    total(({ unreadable }) => sumOf(unreadable)) === archived.unreadable &&
    total(({ skipped }) => skipped) === archived.skipped
  );
}
