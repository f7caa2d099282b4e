import { decodeCbor, encodeCbor, type Primitives } from '@keytide/crypto-core';
import { z } from 'zod';
import { DirectoryError, inDirectoryTerms } from '../errors.ts';
import { noteKeyText, parseNoteKey, type NoteKey } from '../note/key.ts';
import { MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES } from '../note/note.ts';

/** The longest file that is read: 1 MiB. */
export const MAX_FORK_PROOF_BYTES: number = 1024 * 1024;

/** Two signed checkpoints of one log that cannot both be true. */
export interface CheckpointFork {
  readonly kind: 'checkpoints';
  readonly keys: readonly NoteKey[];
  /** The note with the smaller tree, or either of two of one size. */
  readonly first: Uint8Array;
  readonly second: Uint8Array;
  /** The root that the second tree has over the entries of the first (32 bytes); `null` for trees of one size. */
  readonly olderRoot: Uint8Array | null;
  /** From `olderRoot` to the second root; empty for trees of one size. */
  readonly consistency: readonly Uint8Array[];
}

/** A signed checkpoint of a log that breaks the rules, or with a map that is not the log's. */
export interface LogFork {
  readonly kind: 'log';
  readonly keys: readonly NoteKey[];
  readonly note: Uint8Array;
  /** The log from its start up to the entry that the rules refuse; all of it where the map is wrong. */
  readonly wires: readonly Uint8Array[];
  /** From the tree over `wires` to the signed one. */
  readonly consistency: readonly Uint8Array[];
}

/** What a file of evidence holds; nothing in it is true until `verifyForkProof` says so. */
export type ForkProof = CheckpointFork | LogFork;

const VERSION = 1;

/** CBOR `[1, 1, keys, first, second, older root, consistency]` or `[1, 2, keys, note, wires, consistency]`. */
export function forkProofBytes(primitives: Primitives, proof: ForkProof): Uint8Array {
  const keys = proof.keys.map((key) => noteKeyText(primitives, key));
  if (proof.kind === 'log') return encodeCbor([VERSION, 2, keys, proof.note, proof.wires, proof.consistency]);
  const { first, second, olderRoot, consistency } = proof;
  return encodeCbor([VERSION, 1, keys, first, second, olderRoot, consistency]);
}

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const note = bytes.refine((value) => value.length <= MAX_NOTE_BYTES);
const hash = bytes.refine((value) => value.length === 32);
const keys = z.array(z.string()).min(1).max(MAX_NOTE_SIGNATURES);
const hashes = z.array(hash).max(64);
const checkpointsSchema = z.tuple([
  z.literal(VERSION),
  z.literal(1),
  keys,
  note,
  note,
  hash.nullable(),
  hashes,
]);
const logSchema = z.tuple([z.literal(VERSION), z.literal(2), keys, note, z.array(bytes).min(1), hashes]);

/** Reads a file of evidence without judging it. @throws DirectoryError `too-large`, `malformed`, `unsupported-version` */
export function parseForkProof(primitives: Primitives, file: Uint8Array): ForkProof {
  const value = inDirectoryTerms(() => decodeCbor(file, MAX_FORK_PROOF_BYTES));
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] !== VERSION)
    throw new DirectoryError('unsupported-version', 'evidence of a version that this build does not know');
  const checkpoints = checkpointsSchema.safeParse(value).data;
  if (checkpoints !== undefined) {
    const [, , texts, first, second, olderRoot, consistency] = checkpoints;
    return { kind: 'checkpoints', keys: keysOf(primitives, texts), first, second, olderRoot, consistency };
  }
  const log = logSchema.safeParse(value).data;
  if (log === undefined) throw new DirectoryError('malformed', 'not a file of evidence');
  const [, , texts, signed, wires, consistency] = log;
  return { kind: 'log', keys: keysOf(primitives, texts), note: signed, wires, consistency };
}

function keysOf(primitives: Primitives, texts: readonly string[]): NoteKey[] {
  return texts.map((text) => parseNoteKey(primitives, text));
}
