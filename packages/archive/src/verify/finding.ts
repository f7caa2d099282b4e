import type { GroupId } from '@keytide/crypto-core';

/** The levels of a verification, each on top of the ones before: docs/spec/archive.md, "Verifying". */
export type VerifyLevel = 'structure' | 'hashes' | 'completeness' | 'references' | 'decryption';

/** What can be found. Stable; docs/spec/archive.md, "Findings". */
export type FindingCode =
  // structure
  | 'unexpected-file'
  | 'duplicate-file'
  | 'missing-file'
  | 'unfinished'
  | 'malformed'
  | 'unsupported-version'
  | 'bag-mismatch'
  | 'manifest-mismatch'
  | 'size-mismatch'
  | 'membership-refused'
  | 'membership-mismatch'
  | 'other-org'
  | 'bad-signature'
  | 'not-permitted'
  | 'approval-needed'
  | 'checkpoint-mismatch'
  | 'archive-key-left-out'
  | 'key-set-refused'
  // hashes
  | 'hash-mismatch'
  // completeness
  | 'segment-gap'
  | 'segment-overlap'
  | 'unknown-group'
  | 'group-missing'
  | 'root-mismatch'
  | 'count-mismatch'
  | 'statement-mismatch'
  | 'statement-refused'
  | 'membership-cut'
  | 'membership-fork'
  | 'forked'
  | 'word-against'
  | 'other-archive'
  | 'stretch-missing'
  | 'previous-filtered'
  // references
  | 'attachment-unlisted'
  | 'attachment-unnamed'
  // decryption
  | 'not-opened'
  | 'key-mismatch'
  | 'key-missing'
  | 'epoch-before'
  | 'line-mismatch'
  | 'message-mismatch'
  | 'not-authentic'
  | 'chain-mismatch'
  | 'readable'
  | 'filter-mismatch'
  | 'filter-exceeded'
  | 'messages-missing'
  | 'attachments-mismatch'
  | 'attachment-passed-over'
  | 'content-mismatch';

/** Something that is wrong with an archive, or with the log that it holds. Holds no content. */
export interface Finding {
  readonly level: VerifyLevel;
  readonly code: FindingCode;
  /** A `fault`: the archive is not what it says. A `note`: it says truly what the log itself lacks. */
  readonly weight: 'fault' | 'note';
  /** The name of the file, as the place has it; `null` where it is none of one file. */
  readonly file: string | null;
  readonly group: GroupId | null;
  readonly seq: number | null;
  /** A code of what refused it, a device, a stretch `FIRST-LAST`, or two numbers; `null` where there is no more to say. */
  readonly detail: string | null;
}

/** Where something was found. */
type FindingPlace = Partial<Pick<Finding, 'file' | 'group' | 'seq' | 'detail'>>;

/** What was found so far. */
export interface Findings {
  /** The first thousand. */
  readonly list: readonly Finding[];
  readonly total: number;
  readonly faults: number;
  add(level: VerifyLevel, code: FindingCode, place?: FindingPlace): void;
}

const MAX_LISTED = 1000;
/** What a true archive of a log can have. */
const NOTES: ReadonlySet<FindingCode> = new Set([
  ...(['messages-missing', 'word-against', 'epoch-before', 'readable', 'attachment-passed-over'] as const),
  ...(['archive-key-left-out', 'previous-filtered'] as const),
]);

/** Nothing found yet. */
export function newFindings(): Findings {
  const list: Finding[] = [];
  let total = 0;
  let faults = 0;
  return {
    list,
    get total() {
      return total;
    },
    get faults() {
      return faults;
    },
    add(level, code, { file = null, group = null, seq = null, detail = null } = {}) {
      const weight = NOTES.has(code) ? 'note' : 'fault';
      total += 1;
      if (weight === 'fault') faults += 1;
      if (list.length < MAX_LISTED) list.push({ level, code, weight, file, group, seq, detail });
    },
  };
}
