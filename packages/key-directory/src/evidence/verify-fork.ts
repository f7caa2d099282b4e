import {
  appendLeaf,
  deviceIdOf,
  EMPTY_FRONTIER,
  equalBytes,
  leafHash,
  rootOf,
  type Primitives,
} from '@keytide/crypto-core';
import { badProof } from '../bad-proof.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { DirectoryError, type DirectoryErrorCode } from '../errors.ts';
import { mapRoot } from '../map/build.ts';
import { headsOf } from '../map/heads.ts';
import { orgOf, parseCheckpointText, type LogCheckpoint } from '../note/checkpoint-text.ts';
import type { NoteKey } from '../note/key.ts';
import { parseNote } from '../note/note.ts';
import { isSameKey, verifyNote } from '../note/verify-note.ts';
import { replay } from '../replay.ts';
import type { DirectoryState } from '../state.ts';
import { verifyConsistency } from '../tree/consistency.ts';
import { parseForkProof, type CheckpointFork, type ForkProof, type LogFork } from './fork-proof.ts';

/** What a file of evidence proves. To be shown with the keys as text: whoever does not know a key learns nothing of its owner. */
export interface ForkVerdict {
  /**
   * `forked`: two checkpoints that cannot both be of one log. `refused-entry`: a checkpoint over an entry
   * that the rules refuse. `wrong-map`: a checkpoint with a map that is not the log's.
   */
  readonly claim: 'forked' | 'refused-entry' | 'wrong-map';
  readonly origin: string;
  /**
   * Who signed what cannot be true. Empty for two checkpoints that nobody signed both of: then one of the
   * signers lies, or was lied to by whoever showed them the log.
   */
  readonly against: readonly NoteKey[];
  /** Who signed the first checkpoint, and who the second; equal where there is one. */
  readonly signers: readonly [first: readonly NoteKey[], second: readonly NoteKey[]];
  /** Of a refused entry: its index, and the code of the rule. */
  readonly refused: { readonly index: number; readonly code: DirectoryErrorCode } | null;
}

/**
 * Judges a file of evidence, offline and from nothing but the file. Everything that an honest log and honest
 * witnesses can have signed is refused, so nobody can be accused falsely by an altered or invented file.
 * @throws DirectoryError `bad-proof` where nothing is proved; `malformed`, `too-large`, `unsupported-version`,
 * `bad-signature`, `bad-key`; a retry does not help
 */
export function verifyForkProof(primitives: Primitives, file: Uint8Array): ForkVerdict {
  const proof = parseForkProof(primitives, file);
  return proof.kind === 'log' ? judgeLog(primitives, proof) : judgeCheckpoints(primitives, proof);
}

function judgeCheckpoints(primitives: Primitives, proof: CheckpointFork): ForkVerdict {
  const first = openNote(primitives, proof.first, proof.keys);
  const second = openNote(primitives, proof.second, proof.keys);
  const { origin } = first.checkpoint;
  if (second.checkpoint.origin !== origin) throw badProof('checkpoints of two logs');
  requireContradiction(primitives, first.checkpoint, second.checkpoint, proof);
  requireEachUsed(proof, [...first.signers, ...second.signers]);
  const against = first.signers.filter((key) => second.signers.some((other) => isSameKey(key, other)));
  return { claim: 'forked', origin, against, signers: [first.signers, second.signers], refused: null };
}

/** One root over the first entries follows from the later root; the first note must say another. */
function requireContradiction(
  primitives: Primitives,
  first: Checkpoint,
  second: Checkpoint,
  { olderRoot, consistency }: CheckpointFork,
): void {
  if (first.size === 0) throw badProof('nothing contradicts the empty log');
  const prefix = first.size === second.size ? second.root : olderRoot;
  if (prefix === null || (first.size === second.size) !== (olderRoot === null))
    throw badProof('the root to compare with is missing, or not needed');
  verifyConsistency(primitives, { size: first.size, root: prefix }, second, consistency);
  if (equalBytes(first.root, prefix)) throw badProof('the checkpoints agree');
}

function judgeLog(primitives: Primitives, proof: LogFork): ForkVerdict {
  const { checkpoint, signers } = openNote(primitives, proof.note, proof.keys);
  requireEachUsed(proof, signers);
  // First, because it ends at the first entry that is none, however many follow.
  const { state, refused } = replayed(primitives, proof.wires);
  let tree = EMPTY_FRONTIER;
  for (const wire of proof.wires) tree = appendLeaf(primitives, tree, leafHash(primitives, wire));
  const prefix = { size: tree.size, root: rootOf(primitives, tree) };
  verifyConsistency(primitives, prefix, checkpoint, proof.consistency);
  const org = orgOf(checkpoint.origin);
  if (org === null || (state !== null && state.org !== org))
    throw badProof('not the log of this organisation');
  if (refused === null) requireWrongMap(primitives, checkpoint, state as DirectoryState);
  const against = signers.filter((key) => answersForContent(primitives, key, state));
  if (against.length === 0) throw badProof('no signer answers for what the log says');
  const claim = refused === null ? 'wrong-map' : 'refused-entry';
  return { claim, origin: checkpoint.origin, against, signers: [signers, signers], refused };
}

function requireWrongMap(primitives: Primitives, checkpoint: LogCheckpoint, state: DirectoryState): void {
  if (state.size !== checkpoint.size) throw badProof('the log is not all there');
  if (checkpoint.mapRoot === null) throw badProof('the checkpoint tells no map');
  if (equalBytes(mapRoot(primitives, headsOf(primitives, state)), checkpoint.mapRoot))
    throw badProof('log and map are in order');
}

/** The state before the last entry and how that was refused; the whole state where nothing is refused. */
function replayed(
  primitives: Primitives,
  wires: readonly Uint8Array[],
): { state: DirectoryState | null; refused: ForkVerdict['refused'] } {
  const index = wires.length - 1;
  const before = index === 0 ? null : stateOf(primitives, wires.slice(0, index));
  try {
    return { state: replay(primitives, wires.slice(index), before), refused: null };
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error;
    // A newer build may know what this one does not.
    if (error.code === 'unsupported-version') throw error;
    return { state: before, refused: { index, code: error.code } };
  }
}

function stateOf(primitives: Primitives, wires: readonly Uint8Array[]): DirectoryState {
  try {
    return replay(primitives, wires);
  } catch (cause) {
    if (!(cause instanceof DirectoryError) || cause.code === 'unsupported-version') throw cause;
    throw new DirectoryError('bad-proof', 'an entry before the last is refused', { cause });
  }
}

/**
 * A witness from outside states only that the log grew, and a cosignature does not name its maker: so a
 * cosigner answers for the content only if the log itself knows the key as a device's.
 */
function answersForContent(primitives: Primitives, key: NoteKey, state: DirectoryState | null): boolean {
  if (key.type === 'signature') return true;
  return state?.devices.has(deviceIdOf(primitives, key.publicKey)) ?? false;
}

function openNote(
  primitives: Primitives,
  bytes: Uint8Array,
  keys: readonly NoteKey[],
): { checkpoint: LogCheckpoint; signers: NoteKey[] } {
  const note = parseNote(bytes);
  const checkpoint = parseCheckpointText(note.text);
  const signers: NoteKey[] = [];
  for (const { key } of verifyNote(primitives, note, keys).verified) {
    if (key.type === 'signature' && key.name !== checkpoint.origin)
      throw badProof('a signature that is neither a cosignature nor the log’s own');
    if (!signers.some((known) => isSameKey(known, key))) signers.push(key);
  }
  if (signers.length === 0) throw badProof('nobody signed a checkpoint');
  return { checkpoint, signers };
}

/** A key that signed nothing has no place in an accusation, and one key must not appear under two names. */
function requireEachUsed({ keys }: ForkProof, signers: readonly NoteKey[]): void {
  for (const [i, key] of keys.entries()) {
    if (!signers.some((signer) => isSameKey(signer, key))) throw badProof('a key that signed nothing');
    if (keys.slice(0, i).some((other) => isSameKey(other, key))) throw badProof('one key twice');
  }
}
