import type { GroupId, MemberId, OrgId, Primitives } from '@keytide/crypto-core';
import type { Role } from '@keytide/key-directory';
import type { AgeIdentity } from '../age/hybrid.ts';
import type { ArchiveFiles } from '../container/destination.ts';
import type { Stretch } from '../container/names.ts';
import type { ArchivedGroup, SignedManifest } from '../container/signed-manifest.ts';
import { ArchiveError, type ArchiveErrorCode } from '../errors.ts';
import type { ExportSource, SourceEntry, SourceGroup } from '../export/source.ts';
import type { Check } from '../verify/check.ts';
import { newFindings, type Finding } from '../verify/finding.ts';
import type { ApprovalCount } from '../verify/membership.ts';
import { readAttachments, type ListedAttachments } from '../verify/references.ts';
import { segmentsIn } from '../verify/segments.ts';
import { statementRing } from '../verify/statement-ring.ts';
import { verifyStructure } from '../verify/verify-structure.ts';
import { archiveSource } from './archive-source.ts';
import { timeLimit, type TimeLimit } from './time-limit.ts';
import { verifiedFiles } from './verified-files.ts';

/** What an archive is opened with. */
export interface ReadOptions {
  readonly primitives: Primitives;
  readonly files: ArchiveFiles;
  readonly identities: readonly AgeIdentity[];
  /** The organisation that it is to be of. Without it, the archive's own word is taken. */
  readonly org?: OrgId;
  /**
   * Opens also what is not an archive as it was written, or by nobody who may write one: what is wrong with it says
   * `verifyArchive`. Told of each part that cannot be read or was altered; nothing from there to the part's end is shown.
   */
  readonly onDamage?: (damage: ArchiveDamage) => void;
}

/** A part of an archive that is left out. */
export interface ArchiveDamage {
  /** `null` for the list of attachments. */
  readonly group: GroupId | null;
  /** `FIRST-LAST`, the stretch of the log that the part has; `null` for what comes before it. */
  readonly stretch: string | null;
  readonly code: ArchiveErrorCode;
}

/** Somebody who is, or was, in the organisation. */
export interface ArchivedMember {
  readonly id: MemberId;
  /** As shown to people; not unique. */
  readonly handle: string;
  readonly role: Role;
  readonly isFormer: boolean;
}

/** An archive that is read. What was altered is refused when it comes to it, and nothing of it is shown. */
export interface OpenedArchive {
  readonly signed: SignedManifest;
  /** By the end of the membership log that is in it. */
  readonly members: readonly ArchivedMember[];
  readonly groups: readonly ArchivedGroup[];
  /** By blob id. */
  readonly attachments: ListedAttachments;
  /** What it has of a group's log, in its order. @throws ArchiveError `damaged`, `malformed`, `no-identity` */
  entries(group: GroupId): AsyncIterable<SourceEntry>;
  /** Where time ends for what is written in a group's log, from the archive's first entry of it. @throws as `entries` */
  timeLimit(group: GroupId): Promise<TimeLimit>;
  /** Admins who have signed it, and how many the policy asks for: with fewer it is opened all the same. */
  readonly approvals: ApprovalCount;
  /** What another archive can be made from. One that a filter was made with lacks entries: `source-damaged`. */
  readonly source: ExportSource;
}

/**
 * Opens an archive, also one that admins are yet to approve. Its structure and signatures are verified before, and each file before it is read; what only
 * `verifyArchive` finds, that messages are their senders', is for that.
 * @throws ArchiveError `damaged`, with the code of the first finding as its cause; what the place throws
 */
export async function readArchive(options: ReadOptions): Promise<OpenedArchive> {
  const { primitives, files, identities, org, onDamage } = options;
  const findings = newFindings();
  const check: Check = { primitives, files, findings, tell: () => {} };
  const { structure, states, approvals } = await verifyStructure(check, org);
  const { signed, listed } = structure;
  const state = states.at(-1);
  const first = findings.list.find(({ code }) => code !== 'approval-needed');
  if (signed === null || listed === null || state === undefined || approvals === null) throw damaged(first);
  if (first !== undefined && onDamage === undefined) throw damaged(first);
  const verified = verifiedFiles(primitives, files, listed);
  const attachments = await readAttachments(verified).catch((error: unknown): ListedAttachments => {
    tell(onDamage, error, { group: null, stretch: null });
    return new Map();
  });
  const source = archiveSource({ primitives, identities, files: verified, attachments, signed });
  const segments = segmentsIn(verified.names());
  return {
    ...{ signed, groups: signed.manifest.groups, attachments, approvals, source },
    members: [...state.members.values()].map(({ id, handle, role, removedAt }) => {
      return { id, handle, role, isFormer: removedAt !== null };
    }),
    entries(group) {
      const archived = signed.manifest.groups.find((one) => one.group === group);
      if (archived === undefined) throw new ArchiveError('missing-file', 'not a group of this archive');
      if (onDamage !== undefined) return whatIsThere(source, segments.get(group) ?? [], { group, onDamage });
      return source.entries(group, archived.before.size + 1, archived.throughSeq);
    },
    async timeLimit(group) {
      const groups = await source.groups().catch((error: unknown): readonly SourceGroup[] => {
        tell(onDamage, error, { group, stretch: null });
        return [];
      });
      const of = groups.find((one) => one.group === group);
      return timeLimit(statementRing(primitives, states, group), of?.statementBefore ?? null);
    },
  };
}

/** Segment by segment: one that is not as it was written ends there, and the next one is read. */
async function* whatIsThere(
  source: ExportSource,
  stretches: readonly Stretch[],
  { group, onDamage }: { readonly group: GroupId; readonly onDamage: (damage: ArchiveDamage) => void },
): AsyncGenerator<SourceEntry, void, undefined> {
  let next = 1;
  for (const { first, last } of stretches) {
    if (first < next) continue;
    next = last + 1;
    try {
      yield* source.entries(group, first, last);
    } catch (error) {
      tell(onDamage, error, { group, stretch: `${first}-${last}` });
    }
  }
}

/** @throws `error`, where it is none of an archive, or nobody is told */
function tell(
  onDamage: ReadOptions['onDamage'],
  error: unknown,
  place: Pick<ArchiveDamage, 'group' | 'stretch'>,
): void {
  if (onDamage === undefined || !(error instanceof ArchiveError)) throw error;
  onDamage({ ...place, code: error.code });
}

function damaged(first: Finding | undefined): ArchiveError {
  return new ArchiveError('damaged', 'not an archive as it was written', { cause: first?.code });
}
