import { toHex } from '@keytide/crypto-core';
import type { DirectoryState } from '@keytide/key-directory';
import { openAge } from '../age/age-file.ts';
import type { AgeIdentity } from '../age/hybrid.ts';
import { readLines } from '../container/json-lines.ts';
import { attachmentFile } from '../container/names.ts';
import { parseSegmentLine, type SegmentLine } from '../container/segment-line.ts';
import type { SignedManifest } from '../container/signed-manifest.ts';
import { ArchiveError } from '../errors.ts';
import type { NamedAttachment } from '../export/source.ts';
import type { Check } from './check.ts';
import { statementsOf, type CheckedGroup, type CheckedSegment } from './completeness.ts';
import { checkContent } from './attachment-content.ts';
import { lineJudge, type LineJudge } from './line-judge.ts';
import { readLeaves } from './log-tree.ts';
import { openEpochs } from './opened-epochs.ts';
import type { ListedAttachments } from './references.ts';
import { sampled, type Sample } from './sample.ts';
import { partsOf, sumOf } from './segments.ts';

/** With what an archive is opened, and how much of it. */
export interface DecryptionOptions {
  readonly identities: readonly AgeIdentity[];
  readonly sample: Sample | null;
  readonly signed: SignedManifest;
  readonly states: readonly DirectoryState[];
  readonly listed: ListedAttachments;
}

/** How much was opened, of how much. */
export interface DecryptionReport {
  readonly sample: Sample | null;
  readonly segments: { readonly opened: number; readonly total: number };
  readonly attachments: { readonly opened: number; readonly total: number };
}

const level = 'decryption';

/** Opens what is sealed: each line against its leaf and its envelope, each attachment against what its sender described. */
export async function checkDecryption(
  check: Check,
  groups: readonly CheckedGroup[],
  options: DecryptionOptions,
): Promise<DecryptionReport> {
  const { primitives } = check;
  const { signed, sample, listed } = options;
  const choice = { id: signed.manifest.id, sample };
  const present = [...listed]
    .filter(([, { missing }]) => missing === null)
    .map(([blob]) => attachmentFile(blob));
  const sealed = groups.flatMap(({ archived, segments }) =>
    segments.map(({ stretch }) => partsOf(archived.group, stretch).age),
  );
  const chosen = sampled(primitives, choice, sealed);
  const wanted = sampled(primitives, choice, present);
  const total = chosen.size + wanted.size;
  const named = new Map<string, Map<string, NamedAttachment>>();
  let done = 0;

  for (const group of groups) {
    const parts = group.segments.map(({ stretch }) => partsOf(group.archived.group, stretch));
    const names = parts.filter(({ age }) => chosen.has(age)).map((part) => part['keys.age']);
    const epochs = await openEpochs(check, group, { names, identities: options.identities });
    try {
      const judge = lineJudge(check, { ...options, group, epochs, filter: signed.manifest.filter });
      for (const segment of group.segments) {
        const file = partsOf(group.archived.group, segment.stretch).age;
        if (!chosen.has(file)) {
          judge.skip();
          continue;
        }
        check.tell(level, done, total);
        await openSegment(check, { group, segment, judge, identities: options.identities, named });
        await group.compare(level);
        done += 1;
      }
      judge.end();
      await group.compare(level);
    } finally {
      epochs.dispose();
    }
  }
  let opened = 0;
  for (const [blob, { sizeBytes, missing }] of listed) {
    const descriptions = [...(named.get(blob)?.values() ?? [])];
    const file = attachmentFile(blob);
    if (descriptions.length > 0 && descriptions.every((one) => one.sizeBytes !== sizeBytes))
      check.findings.add(level, 'content-mismatch', { file });
    if (missing !== null || !wanted.has(file) || descriptions.length === 0) continue;
    check.tell(level, done, total);
    await checkContent(check, { file, descriptions, identities: options.identities });
    opened += 1;
    done += 1;
  }
  check.tell(level, total, total);
  return {
    sample,
    segments: { opened: chosen.size, total: sealed.length },
    attachments: { opened, total: present.length },
  };
}

interface SegmentOpening {
  readonly group: CheckedGroup;
  readonly segment: CheckedSegment;
  readonly judge: LineJudge;
  readonly identities: readonly AgeIdentity[];
  /** Of each attachment, the descriptions that there are; more are added. */
  readonly named: Map<string, Map<string, NamedAttachment>>;
}

/** How many descriptions of one attachment are tried. */
const MAX_DESCRIPTIONS = 8;

async function openSegment(check: Check, opening: SegmentOpening): Promise<void> {
  const { primitives, files, findings } = check;
  const { group, segment, judge, identities, named } = opening;
  const { stretch, summary } = segment;
  const id = group.archived.group;
  const file = partsOf(id, stretch).age;
  const blobs = new Set<string>();
  const counts = { messages: 0, invalid: 0, unreadable: 0, skipped: 0 };

  async function* lines(): AsyncGenerator<SegmentLine, null, undefined> {
    for await (const value of readLines(openAge(files.read(file), { primitives, identities })))
      yield parseSegmentLine(value);
    return null;
  }

  function take(line: SegmentLine, leaf: Uint8Array): void {
    if (line.kind === 'unreadable') counts.unreadable += 1;
    else {
      counts.messages += 1;
      if (line.invalid !== null) counts.invalid += 1;
      for (const one of line.attachments) {
        blobs.add(one.blob);
        const known = named.get(one.blob) ?? new Map<string, NamedAttachment>();
        if (known.size < MAX_DESCRIPTIONS) known.set(toHex(one.descriptor), one);
        named.set(one.blob, known);
      }
    }
    judge.take(line, leaf);
  }

  try {
    const statements = await statementsOf(check, id, stretch);
    const reading = lines();
    let line = (await reading.next()).value;
    let seq = stretch.first - 1;
    for await (const leaf of readLeaves(files, id, stretch)) {
      seq += 1;
      const wire = statements?.get(seq);
      if (wire !== undefined) judge.pass(seq, wire);
      else if (line?.seq === seq) {
        take(line, leaf);
        line = (await reading.next()).value;
      } else {
        counts.skipped += 1;
        judge.leaveOut();
      }
    }
    if (line !== null) findings.add(level, 'line-mismatch', { file, group: id, seq: line.seq });
    const isCounted =
      counts.messages === summary.messages &&
      counts.invalid === sumOf(summary.invalid) &&
      counts.unreadable === sumOf(summary.unreadable) &&
      counts.skipped === summary.skipped;
    if (!isCounted) findings.add(level, 'count-mismatch', { file, group: id });
    const listed = new Set(summary.attachments);
    if ([...listed].some((blob) => !blobs.has(blob)))
      findings.add(level, 'attachments-mismatch', { file, group: id });
    const passedOver = [...blobs].filter((blob) => !listed.has(blob)).length;
    if (passedOver > 0)
      findings.add(level, 'attachment-passed-over', { file, group: id, detail: String(passedOver) });
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    findings.add(level, error.code === 'malformed' ? 'malformed' : 'not-opened', {
      ...{ file, group: id, detail: error.code },
    });
    judge.skip();
  }
}
