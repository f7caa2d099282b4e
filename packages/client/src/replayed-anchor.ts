import type { KeyStore, OrgId } from '@keytide/crypto-core';
import { auditPast, orgOf, settle, type Anchor, type ProofTools } from '@keytide/key-directory';
import { CheckpointKeeper } from './checkpoint-keeper.ts';
import { proofFailure } from './proof-failure.ts';

/**
 * The newest checkpoint that this device has found true by a replay of its own, where that is newer than the anchor;
 * `null` otherwise. Nobody has to vouch for it, and it continues the anchor's log.
 * @throws ClientError as `proofFailure`; `store-damaged`
 */
export async function replayedSince(
  keyStore: KeyStore,
  proofs: ProofTools,
  anchor: Anchor,
): Promise<Anchor | null> {
  const { origin, size } = anchor.checkpoint;
  const org = orgOf(origin) as OrgId;
  const { newest } = await CheckpointKeeper.open({ primitives: proofs.primitives, keyStore, org });
  if (newest === null || newest.size <= size) return null;
  try {
    const replayed = await settle(proofs, newest.note, []);
    await auditPast(proofs, replayed.checkpoint, anchor.checkpoint, []);
    return replayed;
  } catch (error) {
    throw await proofFailure(proofs, anchor, newest.note, error);
  }
}
