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
import { DirectoryError } from '../errors.ts';
import { mapRoot } from '../map/build.ts';
import { headsOf } from '../map/heads.ts';
import { orgOf, type LogCheckpoint } from '../note/checkpoint-text.ts';
import type { NoteKey } from '../note/key.ts';
import { replay } from '../replay.ts';
import type { DirectoryState } from '../state.ts';
import { verifyConsistency } from '../tree/consistency.ts';
import type { LogFork } from './fork-proof.ts';
import type { ForkVerdict } from './fork-verdict.ts';
import { openNote, requireEachUsed } from './open-note.ts';

/** A signed checkpoint and the log under it: a refused entry, a wrong map, or nothing. @throws DirectoryError as `verifyForkProof` */
export function judgeLog(primitives: Primitives, proof: LogFork): ForkVerdict {
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
