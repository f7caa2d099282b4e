import {
  concatBytes,
  CryptoError,
  leafHash,
  parseEpochStatement,
  sorted,
  toBase64Url,
  type Primitives,
} from '@keytide/crypto-core';
import { fits, type ArchiveFilter } from '../container/filter.ts';
import { encodeLine } from '../container/json-lines.ts';
import { describeAttachment, type Descriptions } from './descriptions.ts';
import { filteredOf, lineOf } from './lines.ts';
import type { NamedAttachment, SourceEntry } from './source.ts';

/** How much a segment holds. */
const MAX_LINES_BYTES = 4 * 1024 * 1024;
const MAX_ENTRIES = 65_536;
const STATEMENT = Uint8Array.of(1);
const ENVELOPE = Uint8Array.of(0);

/** What is in a segment, for who has no key: docs/spec/archive.md. */
export interface SegmentSummary {
  readonly first: number;
  readonly last: number;
  readonly messages: number;
  /** Codes and how often: of the messages, those that count for nothing. */
  readonly invalid: Readonly<Record<string, number>>;
  readonly unreadable: Readonly<Record<string, number>>;
  readonly skipped: number;
  readonly statements: number;
  /** 64 hex digits each, sorted. */
  readonly attachments: readonly string[];
}

/** A stretch of a log on its way into an archive. */
export interface Segment {
  readonly isFull: boolean;
  /** `null` while nothing was added. */
  readonly summary: SegmentSummary | null;
  /** The epochs that its statements start and its envelopes name. */
  readonly epochs: ReadonlySet<number>;
  /** The attachments that its messages name. */
  readonly attachments: ReadonlyMap<string, readonly NamedAttachment[]>;
  /** Takes the next entry, and gives its leaf (32 bytes). */
  add(entry: SourceEntry): Uint8Array;
  /** What goes into its files. */
  parts(): {
    readonly leaves: Uint8Array;
    readonly statements: Uint8Array;
    /** To be sealed. */
    readonly lines: readonly Uint8Array[];
  };
}

/** A segment that begins with the entry after this. */
export function newSegment(primitives: Primitives, filter: ArchiveFilter | null): Segment {
  const lines: Uint8Array[] = [];
  const leaves: Uint8Array[] = [];
  const statements: Uint8Array[] = [];
  const attachments: Descriptions = new Map();
  const epochs = new Set<number>();
  const counts = { messages: 0, skipped: 0, statements: 0 };
  const invalid: Record<string, number> = {};
  const unreadable: Record<string, number> = {};
  let sizeBytes = 0;
  let first = 0;

  function addLine(line: Uint8Array, to: Uint8Array[]): void {
    to.push(line);
    sizeBytes += line.length;
  }

  function addMessage(entry: Extract<SourceEntry, { kind: 'message' }>): void {
    if (filter !== null && !fits(filter, filteredOf(entry))) {
      counts.skipped += 1;
      return;
    }
    counts.messages += 1;
    epochs.add(entry.epoch);
    if (entry.invalid !== null) count(invalid, entry.invalid);
    for (const named of entry.attachments) describeAttachment(attachments, named);
    addLine(encodeLine(lineOf(entry)), lines);
  }

  return {
    epochs,
    attachments,
    get isFull() {
      return sizeBytes > MAX_LINES_BYTES || leaves.length >= MAX_ENTRIES;
    },
    get summary() {
      if (leaves.length === 0) return null;
      return {
        ...{ first, last: first + leaves.length - 1, messages: counts.messages },
        ...{ invalid: inOrder(invalid), unreadable: inOrder(unreadable) },
        ...{ skipped: counts.skipped, statements: counts.statements },
        attachments: sorted(attachments.keys()),
      };
    },
    add(entry) {
      if (leaves.length === 0) first = entry.seq;
      if (entry.kind === 'statement') {
        counts.statements += 1;
        const epoch = epochOf(primitives, entry.wire);
        if (epoch !== null) epochs.add(epoch);
        addLine(encodeLine({ seq: entry.seq, statement: toBase64Url(entry.wire) }), statements);
      } else if (entry.kind === 'unreadable') {
        count(unreadable, entry.code);
        if (entry.epoch !== null) epochs.add(entry.epoch);
        addLine(encodeLine(lineOf(entry)), lines);
      } else addMessage(entry);
      const leaf = leafOf(primitives, entry);
      leaves.push(leaf);
      return leaf;
    },
    parts: () => ({ leaves: concatBytes(...leaves), statements: concatBytes(...statements), lines }),
  };
}

/** The leaf of an entry in the log's tree, 32 bytes (docs/spec/floor.md). */
export function leafOf(primitives: Primitives, entry: SourceEntry): Uint8Array {
  const bytes = entry.kind === 'statement' ? [STATEMENT, entry.wire] : [ENVELOPE, entry.envelope];
  return leafHash(primitives, concatBytes(...bytes));
}

/** `null` for a statement that is none: it is in the log, and starts nothing. */
function epochOf(primitives: Primitives, wire: Uint8Array): number | null {
  try {
    return parseEpochStatement(primitives, wire).epoch;
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    return null;
  }
}

function count(codes: Record<string, number>, code: string): void {
  codes[code] = (codes[code] ?? 0) + 1;
}

function inOrder(codes: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(sorted(Object.entries(codes)));
}
