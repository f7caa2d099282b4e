import { fromHex, toHex } from '../bytes.ts';
import { deviceId, type DeviceId } from '../ids.ts';
import type { PairwiseEndpoint } from '../pairwise/endpoint.ts';
import { PEERS, peerIdentityName, peerStateName, sentName, sessionName } from './names.ts';
import { MESSAGE_ID_BYTES, readPeerState, writePeerState } from './peer-state.ts';
import { ROTATE_AFTER_MS } from './plan.ts';
import { putSignedAway, readStock, writeStock } from './stock.ts';
import { transaction, type Transaction } from './transaction.ts';

/** What is still to be kept of this device's sessions. */
export interface SessionKeeping {
  /** Of a peer that is not, nothing is kept. */
  readonly isActive: (peer: DeviceId) => boolean;
  /** Whether something that was sent may be sent again, by its plaintext. */
  readonly isKept: (plaintext: Uint8Array) => boolean;
  /**
   * A session in which nothing was sealed or opened since then goes, with every message key that it holds; so does a
   * signed pre-key that was to be replaced before then.
   */
  readonly usedSinceMs: number;
}

/** The devices of which this one remembers anything. */
export async function sessionPeers({ store }: Pick<PairwiseEndpoint, 'store'>): Promise<DeviceId[]> {
  const names = await store.names(PEERS);
  return names.map((name) => deviceId(fromHex(name.slice(PEERS.length)) ?? new Uint8Array(0)));
}

/**
 * Deletes what is over of all sessions, in one batch; which messages were opened stays, against repetitions. What a
 * peer still seals in a session that is gone is lost, and sent again when it is asked for.
 * @throws CryptoError `malformed` for a damaged store; whatever the store throws
 */
export function forgetSessions(endpoint: PairwiseEndpoint, keeping: SessionKeeping): Promise<void> {
  const { store, inTurn } = endpoint;
  return inTurn(async () => {
    const tx = transaction(store);
    for (const peer of await sessionPeers(endpoint)) {
      if (keeping.isActive(peer)) await forgetWithin(tx, peer, keeping);
      else await forgetPeer(tx, peer);
    }
    await forgetSigned(tx, endpoint, keeping.usedSinceMs - ROTATE_AFTER_MS);
    if (tx.changes().length > 0) await store.write(tx.changes());
  });
}

/**
 * Deletes signed pre-keys that were made before then, the newest as well: whoever has one opens again what started
 * with it and the last resort, if the relay kept that.
 */
async function forgetSigned(tx: Transaction, endpoint: PairwiseEndpoint, madeSinceMs: number): Promise<void> {
  const { store, random } = endpoint;
  const stock = await readStock(tx, random);
  const signed = stock.signed.filter(({ createdMs }) => createdMs >= madeSinceMs);
  if (signed.length === stock.signed.length) return;
  for (const key of stock.signed) if (!signed.includes(key)) await putSignedAway(tx, store, key.id);
  writeStock(tx, { ...stock, signed });
}

async function forgetWithin(
  tx: Transaction,
  peer: DeviceId,
  { isKept, usedSinceMs }: SessionKeeping,
): Promise<void> {
  const state = await readPeerState(tx, peer);
  const sent: Uint8Array[] = [];
  for (const hash of state.sent) {
    const name = sentName(peer, toHex(hash));
    const kept = await tx.get(name);
    if (kept !== null && isKept(kept.subarray(MESSAGE_ID_BYTES))) sent.push(hash);
    else tx.put(name, null);
  }
  if (sent.length < state.sent.length) writePeerState(tx, peer, { ...state, sent });
  if (state.usedMs < usedSinceMs && (await tx.get(sessionName(peer))) !== null)
    tx.put(sessionName(peer), null);
}

async function forgetPeer(tx: Transaction, peer: DeviceId): Promise<void> {
  const { sent } = await readPeerState(tx, peer);
  for (const hash of sent) tx.put(sentName(peer, toHex(hash)), null);
  for (const name of [sessionName(peer), peerIdentityName(peer), peerStateName(peer)]) tx.put(name, null);
}
