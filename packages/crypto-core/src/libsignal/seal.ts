import { concatBytes, readUint64, toHex, uint64Bytes } from '../bytes.ts';
import { checkPlaintextSize, type Keep } from '../pairwise/channel.ts';
import { commit, inSessionTurn, type SignalContext } from './context.ts';
import { sentName } from './names.ts';
import { ownBytes } from './own-bytes.ts';
import { verifyOffer, type PreKeyOffer } from './offer.ts';
import { KEPT_MESSAGES, type PeerState } from './peer-state.ts';
import { encryptInSession, isUsable, startSession, type Session } from './session.ts';
import { encodeContent, signSessionMessage, type SessionContent } from './session-wire.ts';

const RANDOM_ID_BYTES = 8;

/** `PairwiseChannel.seal`: in the session there is, or in a new one. */
export async function sealInSession(
  context: SignalContext,
  plaintext: Uint8Array,
  keep: Keep,
): Promise<Uint8Array> {
  checkPlaintextSize(plaintext);
  const own = ownBytes(plaintext); // sealed in a later turn
  const attempt = (offer: PreKeyOffer | null) =>
    inSessionTurn(context, async (session, state) => {
      if (await isUsable(session)) return sealNew(context, session, state, { plaintext: own, keep });
      if (offer === null) return null;
      const started = await startWith(context, session, state, offer);
      return sealNew(context, session, started, { plaintext: own, keep });
    });
  // The relay is asked between two turns, so that a slow one holds up nothing else.
  return (await attempt(null)) ?? ((await attempt(await context.peer.fetchOffer())) as Uint8Array);
}

/** Verifies an offer and starts a session with it. */
export async function startWith(
  context: SignalContext,
  session: Session,
  state: PeerState,
  offer: PreKeyOffer,
): Promise<PeerState> {
  const { endpoint, peerId, verifier, now } = context;
  const owner = { org: endpoint.org, device: peerId };
  const time = { nowMs: now(), seenMs: state.bundleMs };
  const verified = verifyOffer(endpoint.primitives, verifier, owner, offer, time);
  await startSession(session, verified.bundle, verified.oneTime);
  return { ...state, bundleMs: verified.bundle.createdMs };
}

/** The wire bytes of one content in the usable session. */
export async function sealContent(
  context: SignalContext,
  session: Session,
  content: SessionContent,
): Promise<Uint8Array> {
  const { endpoint, outgoing } = context;
  const message = await encryptInSession(session, encodeContent(endpoint.primitives, outgoing, content));
  return signSessionMessage(endpoint.primitives, endpoint.signer, outgoing, message);
}

async function sealNew(
  context: SignalContext,
  session: Session,
  state: PeerState,
  message: { readonly plaintext: Uint8Array; readonly keep: Keep },
): Promise<Uint8Array> {
  const { endpoint, peerId } = context;
  const id = concatBytes(uint64Bytes(state.counter), endpoint.random(RANDOM_ID_BYTES));
  const { plaintext, keep } = message;
  const wire = await sealContent(context, session, { id, original: null, plaintext });
  const hash = endpoint.primitives.sha256(wire);
  session.tx.put(sentName(peerId, toHex(hash)), concatBytes(id, plaintext));
  const sent = [...(await withinReach(context, session, state)), hash];
  const next = { ...state, counter: state.counter + 1, sent, usedMs: context.now() };
  await commit(context, session, next, await keep(wire));
  return wire;
}

/**
 * What was sent and may still be sent again, next to one message more: of the last 64 there are. A peer that has
 * opened those remembers no older ones, so it refuses them when they come again.
 */
async function withinReach(
  { peerId }: SignalContext,
  { tx }: Session,
  { sent, counter }: PeerState,
): Promise<readonly Uint8Array[]> {
  for (const [index, hash] of sent.entries()) {
    const name = sentName(peerId, toHex(hash));
    const kept = await tx.get(name);
    if (kept !== null && (readUint64(kept, 0) as number) > counter - KEPT_MESSAGES) return sent.slice(index);
    tx.put(name, null);
  }
  return [];
}
