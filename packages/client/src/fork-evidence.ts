import { equalBytes, type Primitives } from '@keytide/crypto-core';
import {
  applyEntry,
  DirectoryError,
  encodeForkProof,
  proveConsistency,
  proveFork,
  type DirectoryState,
  type HashSource,
} from '@keytide/key-directory';
import { ClientError } from './errors.ts';
import { tilesOf } from './log-source.ts';
import type { SignedCheckpoint } from './signed-checkpoint.ts';

/** What a device holds when it has caught its relay at something. */
export interface CaughtRelay {
  readonly primitives: Primitives;
  /** The relay's tiles, as it shows them now. */
  readonly source: HashSource;
  /** The newest checkpoint of before, which this device's log passes through. */
  readonly kept: SignedCheckpoint | null;
  /** What the relay shows now. */
  readonly shown: SignedCheckpoint;
  /** This device's verified log, and the state it leads to. */
  readonly own: readonly Uint8Array[];
  readonly state: DirectoryState | null;
  /** Entries that the relay shows after those. */
  readonly more: readonly Uint8Array[];
}

/**
 * The file that proves to anybody what the relay did (docs/spec/transparency.md, Evidence): two checkpoints that
 * contradict each other, or one over a log that the rules refuse or whose map is another. `null` where the relay
 * signed nothing that proves it.
 */
export async function forkEvidence(caught: CaughtRelay): Promise<Uint8Array | null> {
  const { kept, shown } = caught;
  const isOneLog = kept !== null && kept.size === shown.size && equalBytes(kept.root, shown.root);
  // Of two maps of one log the log itself tells which is wrong, where it fits in a file.
  const ways = isOneLog ? [logFork, checkpointsFork] : [checkpointsFork, logFork];
  for (const way of ways) {
    const proof = await attempt(() => way(caught));
    if (proof !== null) return proof;
  }
  return null;
}

async function checkpointsFork({
  primitives,
  source,
  kept,
  shown,
  own,
}: CaughtRelay): Promise<Uint8Array | null> {
  if (kept === null) return null;
  const isShownNewer = shown.size > kept.size;
  // The tree of the older one is in this device's log; of what the relay has added since, only the relay has tiles.
  const tiles = isShownNewer ? source : tilesOf(primitives, own.slice(0, kept.size));
  const [older, newer] = isShownNewer ? [kept, shown] : [shown, kept];
  const keys =
    older.key.publicKey.join() === newer.key.publicKey.join() ? [older.key] : [older.key, newer.key];
  return await proveFork(primitives, tiles, { older: older.note, newer: newer.note }, keys);
}

async function logFork({
  primitives,
  source,
  shown,
  own,
  state,
  more,
}: CaughtRelay): Promise<Uint8Array | null> {
  const wires =
    own.length >= shown.size ? own.slice(0, shown.size) : [...own, ...untilRefused(primitives, state, more)];
  if (wires.length === 0 || wires.length > shown.size) return null;
  const consistency =
    wires.length === shown.size ? [] : await proveConsistency(primitives, source, wires.length, shown.size);
  return encodeForkProof(primitives, {
    kind: 'log',
    keys: [shown.key],
    note: shown.note,
    wires,
    consistency,
  });
}

/** The entries up to the first that the rules refuse. */
function untilRefused(
  primitives: Primitives,
  state: DirectoryState | null,
  wires: readonly Uint8Array[],
): readonly Uint8Array[] {
  let after = state;
  for (const [i, wire] of wires.entries()) {
    try {
      after = applyEntry(primitives, after, wire);
    } catch {
      return wires.slice(0, i + 1);
    }
  }
  return wires;
}

/** Whoever cannot prove it still refuses: a proof that is not to be had changes nothing. */
async function attempt(prove: () => Promise<Uint8Array | null>): Promise<Uint8Array | null> {
  try {
    return await prove();
  } catch (error) {
    if (error instanceof DirectoryError || error instanceof ClientError) return null;
    throw error;
  }
}
