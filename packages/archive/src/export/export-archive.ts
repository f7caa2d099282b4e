import { toBase64Url, type DeviceId } from '@keytide/crypto-core';
import { replay, type DirectoryState } from '@keytide/key-directory';
import { checkpointIn } from '../container/checkpoint.ts';
import { encodeLines } from '../container/json-lines.ts';
import type { ArchiveFilter } from '../container/filter.ts';
import { NAMES } from '../container/names.ts';
import { README_DECRYPT } from '../container/readme.ts';
import { checkedFilter, type ArchivedGroup, type SignedManifest } from '../container/signed-manifest.ts';
import { ArchiveError } from '../errors.ts';
import { archiveWriter, type ArchiveWriter } from './archive-writer.ts';
import { addDescriptions, type Descriptions } from './descriptions.ts';
import { exportAttachments } from './export-attachments.ts';
import { exportGroup } from './export-group.ts';
import type { ExportOptions, ExportProgress } from './export-options.ts';
import { readAttachments, type ListedAttachments } from '../verify/references.ts';
import { finishArchive, finishedArchive } from './finish.ts';
import { encodePlan, readPlan, requireSameChoice, type ExportPlan } from './plan.ts';
import type { SourceGroup } from './source.ts';

const ID_BYTES = 16;

/** An archive that is whole. */
export interface ExportedArchive {
  /** What it is; `since` of the next export. */
  readonly signed: SignedManifest;
  /** Attachments that are not in it: blob ids and codes. */
  readonly missing: readonly { readonly blob: string; readonly code: string }[];
}

/**
 * Writes an archive (docs/spec/archive.md). Stopped at any point, by a crash as well, the same call goes on where
 * it was. What cannot be read or does not count is in it, counted and with its reason, and stops nothing.
 * @throws ArchiveError `malformed` for a filter that is none, `no-recipient`, `not-permitted`, `not-empty`, `other-export`, `other-filter`, `other-log`, `source-damaged`,
 *   `destination-full`; whatever source and destination throw. All can be tried again.
 */
export async function exportArchive(options: ExportOptions): Promise<ExportedArchive> {
  const { primitives, source, since = null, signal } = options;
  const groups = await source.groups();
  const { plan, bytes, wires, state } = await decide(options, groups);
  const finished = await finishedArchive(options, plan);
  if (finished !== null)
    return { signed: finished, missing: missingIn(await readAttachments(options.destination)) };
  const recipients = plan.recipients.map((key) => primitives.encapsulator(key));
  const { signer } = options.exporter;
  const writer = await archiveWriter({ ...options, recipients, signer, plan: bytes });
  const tell = teller(options, writer);

  await writer.write(
    NAMES.membership,
    encodeLines(wires.map((wire, index) => ({ index, wire: toBase64Url(wire) }))),
  );
  const [checkpoint, keySet] = [await source.checkpoint(), await source.archiveKeySet()];
  // The source goes on while this is made: a newer note is for the next archive.
  if (checkpoint !== null && checkpointIn(checkpoint).size <= state.size)
    await writer.write(NAMES.checkpoint, [checkpoint]);
  if (keySet !== null) await writer.write(NAMES.archiveKeySet, [keySet]);
  await writer.write(NAMES.readme, [README_DECRYPT]);

  const archived: ArchivedGroup[] = [];
  const descriptions: Descriptions = new Map();
  const named = new Set<string>();
  for (const { group: id, throughSeq } of plan.through) {
    const group = groups.find((found) => found.group === id);
    if (group === undefined) throw new ArchiveError('source-damaged', 'the source lost a group');
    const previous = since?.manifest.groups.find((before) => before.group === id) ?? null;
    const entries = throughSeq - group.before.size;
    const found = await exportGroup({
      ...{ primitives, source, writer, group, previous, throughSeq, filter: plan.filter },
      onSegment: ({ last }) => tell('log', last - group.before.size, entries),
      checkStop: () => signal?.throwIfAborted(),
    });
    archived.push(found.archived);
    addDescriptions(descriptions, found.attachments);
    for (const blob of found.named) named.add(blob);
  }

  const missing: { blob: string; code: string }[] = [];
  let done = 0;
  await exportAttachments(source, writer, { named, descriptions }, ({ blob, missing: code }) => {
    signal?.throwIfAborted();
    if (code !== null) missing.push({ blob, code });
    done += 1;
    tell('attachments', done, named.size);
  });
  const signed = await finishArchive(options, { plan, state, archived, writer });
  return { signed, missing };
}

function missingIn(attachments: ListedAttachments): ExportedArchive['missing'] {
  return [...attachments].flatMap(([blob, { missing }]) =>
    missing === null ? [] : [{ blob, code: missing }],
  );
}

/**
 * What there is to export: as it was decided at the start, where there was one. Who may, and to which archive key it is
 * sealed, is as it is now: a place could say otherwise, and a key that others have come to know is replaced.
 */
async function decide(
  options: ExportOptions,
  groups: readonly SourceGroup[],
): Promise<{
  plan: ExportPlan;
  /** `plan.json`. */
  bytes: Uint8Array;
  wires: readonly Uint8Array[];
  state: DirectoryState;
}> {
  const { primitives, random, now, source, destination, exporter } = options;
  const { recipients = [], since = null } = options;
  const filter = options.filter ? checkedFilter(options.filter) : null;
  requireSameFilter(since, filter);
  const begun = await readPlan(destination);
  const all: Uint8Array[] = [];
  for await (const wire of source.membership()) all.push(wire);
  const newest = replay(primitives, all);
  requireExporter(newest, exporter.device);
  const { archiveKey } = newest.policy;
  const choice = {
    ...{ org: source.org, device: exporter.device, filter },
    recipients: archiveKey === undefined ? recipients : [archiveKey, ...recipients],
    previous: since === null ? null : primitives.sha256(since.bytes),
  };
  if (newest.org !== source.org) throw new ArchiveError('source-damaged', 'a log of another organisation');
  if (choice.recipients.length === 0)
    throw new ArchiveError('no-recipient', 'the policy has no archive key, and nobody else is named');
  if (begun !== null) {
    const { plan, bytes } = begun;
    requireSameChoice(plan, choice);
    const wires = all.slice(0, plan.membershipSize);
    const state = replay(primitives, wires);
    if (state.size < plan.membershipSize) throw new ArchiveError('source-damaged', 'the source lost members');
    requireExporter(state, exporter.device);
    return { plan, bytes, wires, state };
  }
  const through = groups.map(({ group, throughSeq }) => ({ group, throughSeq }));
  const plan = { ...choice, id: random(ID_BYTES), createdMs: now(), membershipSize: all.length, through };
  const bytes = encodePlan(plan);
  await destination.write(NAMES.plan, [bytes]);
  return { plan, bytes, wires: all, state: newest };
}

/** What the archive before leaves out would be in neither of the two. @throws ArchiveError `other-filter` */
function requireSameFilter(since: SignedManifest | null, filter: ArchiveFilter | null): void {
  const before = since?.manifest.filter ?? null;
  if (before !== null && JSON.stringify(before) !== JSON.stringify(filter))
    throw new ArchiveError('other-filter', 'the archive before leaves out what this one would not');
}

/** @throws ArchiveError `not-permitted` */
function requireExporter(state: DirectoryState, device: DeviceId): void {
  const found = state.devices.get(device);
  const role = found?.revokedAt === null ? state.members.get(found.member)?.role : undefined;
  if (role !== 'admin' && role !== 'exporter')
    throw new ArchiveError('not-permitted', 'only admins and exporters make archives');
}

function teller({ onProgress }: ExportOptions, writer: ArchiveWriter) {
  return (phase: ExportProgress['phase'], done: number, total: number): void => {
    let sizeBytes = 0;
    for (const file of writer.files.values()) sizeBytes += file.sizeBytes;
    onProgress?.({ phase, done, total, sizeBytes });
  };
}
