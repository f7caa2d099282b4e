import {
  archiveRecipient,
  type DeviceId,
  type GroupId,
  type MemberId,
  type OrgId,
  type Primitives,
} from '@keytide/crypto-core';
import type { DirectoryState } from '@keytide/key-directory';
import type { AgeIdentity } from '../age/hybrid.ts';
import type { ArchiveFiles } from '../container/destination.ts';
import { NAMES } from '../container/names.ts';
import type { SignedManifest } from '../container/signed-manifest.ts';
import { ArchiveError } from '../errors.ts';
import type { Check, VerifyProgress } from './check.ts';
import { checkGroup, provenThrough, type CheckedGroup, type Proven } from './completeness.ts';
import { checkDecryption, type DecryptionReport } from './decryption.ts';
import { newFindings, type Finding, type Findings, type VerifyLevel } from './finding.ts';
import { checkHashes } from './hashes.ts';
import type { ApprovalCount } from './membership.ts';
import { checkPrevious } from './previous.ts';
import { checkReferences, type ListedAttachments } from './references.ts';
import type { Sample } from './sample.ts';
import { segmentsIn } from './segments.ts';
import type { Structure } from './structure.ts';
import { verifyStructure } from './verify-structure.ts';

/** What a verification looks at, and how closely. */
export interface VerifyOptions {
  readonly primitives: Primitives;
  readonly files: ArchiveFiles;
  /** The organisation that it is to be of. Without it, the archive's own word is taken. */
  readonly org?: OrgId;
  /** Stops after the structure: reads no large file. */
  readonly quick?: boolean;
  /** What opens it: then each line and each attachment is looked at as well, if `quick` is not set. It is to be of this archive. */
  readonly identities?: readonly AgeIdentity[];
  /** How much of it is opened; all where it is left out. */
  readonly sample?: Sample;
  /** The archive before, verified: this one is to go on from it. */
  readonly previous?: SignedManifest;
  readonly onProgress?: (progress: VerifyProgress) => void;
  readonly signal?: AbortSignal;
}

/** What an archive's log of a group is, and who says so. */
export interface GroupReport {
  readonly group: GroupId;
  readonly firstSeq: number;
  readonly throughSeq: number;
  readonly messages: number;
  readonly invalid: number;
  readonly unreadable: number;
  readonly skipped: number;
  /**
   * Up to which seq how many members, with how many devices, have signed that this is the log: the furthest first.
   * What comes after rests on the exporter's word. Empty for a quick verification.
   */
  readonly provenThrough: readonly Proven[];
}

/** What a verification has come to. */
export interface ArchiveReport {
  /** Whether nothing is wrong with the archive, as far as it was looked at; notes are no faults. */
  readonly verdict: 'sound' | 'unsound';
  /** What was looked at. */
  readonly levels: readonly VerifyLevel[];
  /** The first thousand. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
  /** By its own word, that of the exporter; `null` where that cannot be read. */
  readonly archive: {
    readonly org: OrgId;
    /** Whether the caller named the organisation: else it is the archive's own claim whose it is. */
    readonly isOrgExpected: boolean;
    /** 16 bytes. */
    readonly id: Uint8Array;
    readonly createdMs: number;
    readonly exporter: DeviceId;
    readonly exporterMember: MemberId | null;
    readonly hasPrevious: boolean;
    /** Admins who have signed it, and who are to; `null` where its membership log cannot be read. */
    readonly approvals: ApprovalCount | null;
    readonly filter: SignedManifest['manifest']['filter'];
    /** Those whom the filter names, as the membership log calls them; a handle is not unique. */
    readonly filterMembers: readonly { readonly id: MemberId; readonly handle: string }[];
    /**
     * What was verified, with the approvals that were read. Whoever acts on the verdict acts on this: another reading of
     * the place may find another.
     */
    readonly manifest: SignedManifest;
  } | null;
  readonly groups: readonly GroupReport[];
  readonly attachments: { readonly present: number; readonly missing: number };
  readonly files: { readonly count: number; readonly sizeBytes: number };
  /** How much was opened; `null` where nothing was. */
  readonly decryption: DecryptionReport | null;
}

/**
 * Verifies an archive (docs/spec/archive.md, "Verifying"), without a relay and, for every level but the last,
 * without a key. Whatever is wrong with it is in the report; memory grows with the number of its files alone.
 * @throws ArchiveError `no-identity` where its exporter, whose signature holds, has sealed it to none of `identities`: no
 *   fault of the archive; what the place throws when it cannot be read, and the signal's reason
 */
export async function verifyArchive(options: VerifyOptions): Promise<ArchiveReport> {
  const { primitives, files, org, quick = false, previous, identities, onProgress, signal } = options;
  const findings = newFindings();
  const check: Check = {
    ...{ primitives, files, findings },
    tell(level, done, total) {
      signal?.throwIfAborted();
      onProgress?.({ level, done, total });
    },
  };
  signal?.throwIfAborted();
  const { structure, states, approvals } = await verifyStructure(check, org);
  const { sizes, signed } = structure;
  const state = states.at(-1) ?? null;
  if (signed !== null && identities !== undefined) requireIdentity(check, signed, identities);

  const levels: VerifyLevel[] = ['structure'];
  let groups: readonly CheckedGroup[] = [];
  let listed: ListedAttachments = new Map();
  let decryption: DecryptionReport | null = null;
  if (!quick) {
    await checkHashes(check, structure);
    groups = signed === null || state === null ? [] : await checkGroups(check, structure, states);
    if (signed !== null && previous !== undefined) checkPrevious(check, signed.manifest, previous);
    const named = groups.flatMap(({ segments }) => segments.flatMap(({ summary }) => summary.attachments));
    if (sizes.has(NAMES.attachments))
      listed = await checkReferences(check, new Set(named), new Set(sizes.keys()));
    levels.push('hashes', 'completeness', 'references');
    if (identities !== undefined && signed !== null) {
      const { sample = null } = options;
      decryption = await checkDecryption(check, groups, { identities, sample, signed, states, listed });
      levels.push('decryption');
    }
  }
  if (signed !== null) for (const group of groups) group.settle(signed.manifest.device);
  const missing = [...listed.values()].filter((one) => one.missing !== null).length;
  return {
    verdict: findings.faults === 0 ? 'sound' : 'unsound',
    levels,
    findings: findings.list,
    findingCount: findings.total,
    archive: signed && { ...archiveOf(structure, signed, state, org !== undefined), approvals },
    groups: groupsOf(signed, groups, state),
    decryption,
    attachments: { present: listed.size - missing, missing },
    files: { count: sizes.size, sizeBytes: [...sizes.values()].reduce((sum, size) => sum + size, 0) },
  };
}

/** What it says of its recipients is its exporter's word only where nothing at this level speaks against it. */
function requireIdentity(
  { primitives, findings }: { readonly primitives: Primitives; readonly findings: Findings },
  { manifest: { recipients } }: SignedManifest,
  identities: readonly AgeIdentity[],
): void {
  if (findings.list.some(({ code, weight }) => weight === 'fault' && !BESIDE.has(code))) return;
  const isOfIt = ({ publicKey }: AgeIdentity): boolean =>
    publicKey === undefined || recipients.includes(archiveRecipient(primitives, publicKey));
  if (!identities.some(isOfIt)) throw new ArchiveError('no-identity', 'sealed to other keys');
}

/** Faults of what lies beside the archive, or is yet to come. */
const BESIDE: ReadonlySet<Finding['code']> = new Set(['unexpected-file', 'approval-needed']);

async function checkGroups(
  check: Check,
  { sizes, signed }: Structure,
  states: readonly DirectoryState[],
): Promise<CheckedGroup[]> {
  const { groups, filter } = (signed as SignedManifest).manifest;
  const { everyone } = states.at(-1) as DirectoryState;
  const segments = segmentsIn(sizes.keys());
  const checked: CheckedGroup[] = [];
  for (const archived of groups) {
    const { group } = archived;
    // Who a group is for is said of no other one yet.
    if (group !== everyone || checked.length > 0)
      check.findings.add('completeness', 'unknown-group', { group });
    else {
      const stretches = segments.get(group) ?? [];
      const log = { states, stretches };
      checked.push(await checkGroup(check, { archived, filter }, log, (name) => sizes.has(name)));
    }
  }
  if (checked.length === 0) check.findings.add('completeness', 'group-missing', { group: everyone });
  const prefix = 'data/groups/';
  for (const name of sizes.keys())
    if (name.startsWith(prefix) && !groups.some(({ group }) => name.startsWith(prefix + group)))
      check.findings.add('completeness', 'unexpected-file', { file: name });
  return checked;
}

function archiveOf(
  { approvals }: Structure,
  signed: SignedManifest,
  state: DirectoryState | null,
  isOrgExpected: boolean,
): Omit<NonNullable<ArchiveReport['archive']>, 'approvals'> {
  const { org, id, createdMs, device, previous, filter } = signed.manifest;
  const exporterMember = state?.devices.get(device)?.member ?? null;
  const filterMembers = [...(state?.members.values() ?? [])]
    .filter((member) => filter?.members?.includes(member.id) === true)
    .map((member) => ({ id: member.id, handle: member.handle }));
  return {
    ...{ org, isOrgExpected, id, createdMs, exporter: device, exporterMember, filter, filterMembers },
    hasPrevious: previous !== null,
    manifest: { ...signed, signatures: [...signed.signatures, ...approvals] },
  };
}

function groupsOf(
  signed: SignedManifest | null,
  checked: readonly CheckedGroup[],
  state: DirectoryState | null,
): GroupReport[] {
  return (signed?.manifest.groups ?? []).map(
    ({ group, before, throughSeq, messages, invalid, unreadable, skipped }) => {
      const said = checked.find(({ archived }) => archived.group === group)?.said;
      return {
        ...{ group, firstSeq: before.size + 1, throughSeq, messages, invalid, unreadable, skipped },
        provenThrough: said === undefined || state === null ? [] : provenThrough(said, state),
      };
    },
  );
}
