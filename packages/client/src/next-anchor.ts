import { equalBytes } from '@keytide/crypto-core';
import {
  advanceAnchor,
  DirectoryError,
  openMapNote,
  type Anchor,
  type Checkpoint,
  type ProofTools,
} from '@keytide/key-directory';
import { ClientError } from './errors.ts';
import { proofFailure } from './proof-failure.ts';
import type { RelayApi } from './relay-api.ts';

/** How many cosigned checkpoints are tried beside the newest. */
const MAX_ATTEMPTS = 8;

/** By which time cosignatures are measured, in seconds since 1970, and up to which one counts. */
export interface ReaderTime {
  readonly nowSeconds: number;
  readonly latestSeconds: number;
}

/**
 * One step to the newest checkpoint that enough admins have cosigned lately, of those that the relay shows.
 * @throws ClientError `unwitnessed` with the newest note where there is none, and as `proofFailure`
 */
export async function nextAnchor(
  api: RelayApi,
  proofs: ProofTools,
  anchor: Anchor,
  { nowSeconds, latestSeconds }: ReaderTime,
): Promise<Anchor> {
  const step = (note: Uint8Array): Promise<Anchor> =>
    advanceAnchor(proofs, anchor, note, nowSeconds, latestSeconds).catch(async (error: unknown) => {
      throw await proofFailure(proofs, anchor, note, error);
    });
  const shown = await api.readCheckpoint();
  let failure: ClientError;
  try {
    return await step(shown);
  } catch (error) {
    if (!isUnwitnessed(error)) throw error;
    failure = error;
  }
  // The log has grown since admins were here: what they cosigned before that may do.
  const others = (await api.readCosigned()).filter(
    (note) => !equalBytes(note, shown) && !isBefore(note, anchor.checkpoint),
  );
  for (const note of others.slice(0, MAX_ATTEMPTS)) {
    try {
      return await step(note);
    } catch (error) {
      if (!isUnwitnessed(error)) throw error;
    }
  }
  throw failure;
}

/** Cosigned before this checkpoint, so it leads nowhere, and nothing is wrong; what is no checkpoint is for the step to refuse. */
export function isBefore(note: Uint8Array, { size }: Checkpoint): boolean {
  try {
    return openMapNote(note).checkpoint.size < size;
  } catch (error) {
    if (error instanceof DirectoryError) return false;
    throw error;
  }
}

function isUnwitnessed(error: unknown): error is ClientError {
  return error instanceof ClientError && error.code === 'unwitnessed';
}
