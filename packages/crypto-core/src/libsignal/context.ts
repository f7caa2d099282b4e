import { CryptoError } from '../errors.ts';
import type { DeviceId } from '../ids.ts';
import type { KeyStoreChange } from '../key-store.ts';
import { choosePairwise } from '../pairwise/choose.ts';
import { peerDevice, type PairwiseEndpoint, type PairwisePeer } from '../pairwise/endpoint.ts';
import type { Pair } from '../pairwise/wire.ts';
import type { Verifier } from '../primitives.ts';
import { localIdentity } from './identity.ts';
import type { PreKeyOffer } from './offer.ts';
import { readPeerState, writePeerState, type PeerState } from './peer-state.ts';
import { sessionIn, type Session } from './session.ts';
import { transaction } from './transaction.ts';

/** A peer that can hold sessions. */
export interface SignalPeer extends PairwisePeer {
  /** Fetches pre-keys of the peer from the relay; asked only when a session has to be started. */
  readonly fetchOffer: () => Promise<PreKeyOffer>;
}

/** What the acts of one channel share. */
export interface SignalContext {
  readonly endpoint: PairwiseEndpoint;
  readonly peer: SignalPeer;
  readonly peerId: DeviceId;
  readonly verifier: Verifier;
  readonly outgoing: Pair;
  readonly incoming: Pair;
  readonly now: () => number;
}

/** @throws CryptoError `ability-missing`, `wrong-context` */
export function signalContext(
  endpoint: PairwiseEndpoint,
  peer: SignalPeer,
  now: () => number,
): SignalContext {
  if (choosePairwise(endpoint.record, peer.record) !== 'session')
    throw new CryptoError('ability-missing', 'one of the devices cannot hold sessions');
  const { org, device, primitives } = endpoint;
  const peerId = peerDevice(endpoint, peer);
  return {
    endpoint,
    peer,
    peerId,
    verifier: primitives.verifier(peer.record.signingPublicKey),
    outgoing: { org, sender: device, recipient: peerId },
    incoming: { org, sender: peerId, recipient: device },
    now,
  };
}

/** One act on the session and the state as they are stored; nothing of it is written but by `commit`. */
export function inSessionTurn<T>(
  context: SignalContext,
  act: (session: Session, state: PeerState) => Promise<T>,
): Promise<T> {
  return context.endpoint.inTurn(async () => {
    const session = await storedSession(context);
    return act(session, await readPeerState(session.tx, context.peerId));
  });
}

/** The session as it is stored, in a transaction of its own. */
export async function storedSession(context: SignalContext): Promise<Session> {
  const { endpoint, peerId, now } = context;
  const tx = transaction(endpoint.store);
  const local = await localIdentity(tx, endpoint.random);
  return sessionIn(tx, local, { own: endpoint.device, peer: peerId }, now());
}

/** Writes all that an act has changed, and what goes with it, as one batch. */
export function commit(
  context: SignalContext,
  session: Session,
  state: PeerState,
  kept: readonly KeyStoreChange[],
): Promise<void> {
  writePeerState(session.tx, context.peerId, state);
  return context.endpoint.store.write([...session.tx.changes(), ...kept]);
}
