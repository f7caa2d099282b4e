import { CryptoError, type MerkleFrontier, type Primitives } from '@keytide/crypto-core';
import { parseEntry, type Policy } from '@keytide/key-directory';
import type { FloorBody } from '@keytide/relay-protocol';
import type { DirectoryReplica } from './directory-replica.ts';
import type { LogFloor } from './entry.ts';
import type { EpochRing } from './epoch-ring.ts';
import { ClientError } from './errors.ts';

/** The frontier of a log's tree before its first seq, as it is stored: 32 bytes a hash. */
export function frontierOf(firstSeq: number, frontier: Uint8Array): MerkleFrontier {
  const hashes = Array.from({ length: frontier.length / 32 }, (_, i) => frontier.slice(32 * i, 32 * i + 32));
  return { size: firstSeq - 1, hashes };
}

/** What a floor is held against. */
export interface FloorContext {
  readonly primitives: Primitives;
  readonly directory: Pick<DirectoryReplica, 'size' | 'stateAt' | 'wires'>;
  readonly epochs: Pick<EpochRing, 'verifyFloor' | 'current'>;
  /** The seq up to which this device has the log. */
  readonly endSeq: number;
  /** The time that decides on this device what is over for good. */
  readonly nowMs: number;
}

/** How far two clocks may be apart and still say the same: the relay's, and that of the statement's author. */
const CLOCKS_MS = 600_000;

/**
 * Takes a floor if it fits the policy: everything before it must be older than Y (docs/spec/floor.md).
 * @throws ClientError `relay-misbehaved` with the statement as evidence, `relay-forked`, `offline`
 */
export async function fittingFloor(body: FloorBody, context: FloorContext): Promise<LogFloor> {
  const { firstSeq, statement: wire, frontier } = body;
  const { epochs, endSeq, nowMs } = context;
  const misbehaved = (message: string, cause?: unknown): ClientError =>
    new ClientError('relay-misbehaved', message, { cause, evidence: [wire] });
  if (firstSeq <= endSeq + 1) throw misbehaved('a floor below what this device has');
  if (frontier.length !== 32 * bitsIn(firstSeq - 1)) throw misbehaved('not the frontier of such a log');
  try {
    const { blockStartMs } = await epochs.verifyFloor(wire);
    if (!isOver(blockStartMs, nowMs, context))
      throw misbehaved('the relay withholds what is not over by the policy');
  } catch (error) {
    if (error instanceof CryptoError) throw misbehaved('not a statement of this group', error);
    throw error;
  }
  return { kind: 'floor', firstSeq, statement: wire, frontier };
}

/**
 * Whether what came while this block had begun may have been forgotten by now: by the policy as it is, or as it once
 * was, which counted until it changed.
 */
function isOver(blockStartMs: number, nowMs: number, { primitives, directory }: FloorContext): boolean {
  const fits = ({ exportSeconds }: Policy, untilMs: number): boolean =>
    blockStartMs + exportSeconds * 1000 <= untilMs + CLOCKS_MS;
  if (fits(directory.stateAt(directory.size).policy, nowMs)) return true;
  return directory.wires(0).some((wire, index) => {
    const { body, timeMs } = parseEntry(primitives, wire);
    const isChange = body.kind === 'policy' || body.kind === 'recovery';
    return isChange && fits(directory.stateAt(index).policy, Math.min(timeMs, nowMs));
  });
}

/** How many perfect subtrees a tree of so many leaves has. */
function bitsIn(size: number): number {
  let bits = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
}
