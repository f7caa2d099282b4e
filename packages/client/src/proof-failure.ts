import { DirectoryError, orgOf, proveFork, type Anchor, type ProofTools } from '@keytide/key-directory';
import { ClientError } from './errors.ts';
import { openCheckpoint, type SignedCheckpoint } from './signed-checkpoint.ts';

/**
 * What it means that proofs for a note were refused, with the evidence there is: a fork proof where the relay signed
 * two checkpoints that contradict each other, else both notes, the anchor's first. That something up to the anchor is
 * not there is a denial. Anything that is no refusal stays what it is.
 */
export async function proofFailure(
  tools: ProofTools,
  anchor: Anchor,
  note: Uint8Array,
  error: unknown,
): Promise<unknown> {
  if (error instanceof ClientError && error.relayCode === 'not-found') {
    const what = 'the relay denies what it has signed';
    return new ClientError('relay-misbehaved', what, { cause: error, evidence: [anchor.note] });
  }
  if (!(error instanceof DirectoryError)) return error;
  const { code, message } = error;
  if (code === 'unwitnessed') return new ClientError(code, message, { cause: error, evidence: [note] });
  const evidence = note === anchor.note ? [note] : [anchor.note, note];
  const shown = signedByRelay(tools, anchor, note);
  const proof = shown === null ? null : await forkProof(tools, anchor, shown);
  const isFork = proof !== null || (shown !== null && (code === 'forked' || code === 'rolled-back'));
  if (!isFork)
    return new ClientError('relay-misbehaved', 'the relay’s answers prove nothing', {
      cause: error,
      evidence,
    });
  return new ClientError('relay-forked', 'the relay shows another membership log than it has signed', {
    cause: error,
    evidence: proof === null ? evidence : [proof],
  });
}

/** What the relay that the anchor knows has signed; `null` otherwise: a contradiction by anybody else accuses nobody. */
function signedByRelay(
  { primitives }: ProofTools,
  { checkpoint, policy }: Anchor,
  note: Uint8Array,
): SignedCheckpoint | null {
  const org = orgOf(checkpoint.origin);
  try {
    return org === null ? null : openCheckpoint(primitives, org, policy.relayKey as Uint8Array, note);
  } catch (error) {
    if (error instanceof ClientError) return null;
    throw error;
  }
}

async function forkProof(
  { primitives, source }: ProofTools,
  { note, checkpoint }: Anchor,
  shown: SignedCheckpoint,
): Promise<Uint8Array | null> {
  const isNewer = shown.size >= checkpoint.size;
  const notes = isNewer ? { older: note, newer: shown.note } : { older: shown.note, newer: note };
  try {
    return await proveFork(primitives, source, notes, [shown.key]);
  } catch (error) {
    // Not to be had is not the same as not forked: whoever cannot prove it still refuses.
    if (error instanceof DirectoryError || error instanceof ClientError) return null;
    throw error;
  }
}
