import { toHex } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import type { KeyStoreChange } from '../key-store.ts';
import { openBoxMessage, sealBoxMessage } from '../pairwise/box-message.ts';
import type { Keep } from '../pairwise/channel.ts';
import { rememberMessage } from '../pairwise/seen.ts';
import { parsePairwiseKind } from '../pairwise/wire.ts';
import { commit, inSessionTurn, type SignalContext } from './context.ts';
import { sentName } from './names.ts';
import { encodeNotice, isAskDue, MAX_ASKS, parseNotice, RESET_WAIT_MS } from './notice.ts';
import type { PreKeyOffer } from './offer.ts';
import { includesBytes, MESSAGE_ID_BYTES, type PeerState } from './peer-state.ts';
import { sealContent, startWith } from './seal.ts';

/** `SignalChannel.sealNotice`. */
export function sealNotice(context: SignalContext, keep: Keep): Promise<Uint8Array | null> {
  const { endpoint, peer, outgoing } = context;
  return inSessionTurn(context, async (session, state) => {
    const nowMs = context.now();
    const due = state.lost.length > 0 && isAskDue(state, nowMs);
    if (!due && state.unconfirmed.length === 0) return null;
    const { primitives, random, signer } = endpoint;
    const wire = sealBoxMessage(
      { primitives, random, signer, peer, kind: 'notice', pair: outgoing },
      encodeNotice({ received: state.unconfirmed, lost: due ? state.lost : [] }),
    );
    const asked = due
      ? { asks: state.asks + 1, askedMs: nowMs }
      : { asks: state.asks, askedMs: state.askedMs };
    const given = asked.asks < MAX_ASKS ? asked : { asks: 0, askedMs: asked.askedMs };
    const lost = given === asked ? state.lost : [];
    await commit(context, session, { ...state, ...given, lost, unconfirmed: [] }, await keep(wire));
    return wire;
  });
}

/** `SignalChannel.openNotice`. */
export async function openNotice(
  context: SignalContext,
  wire: Uint8Array,
  keep: Keep,
): Promise<Uint8Array[]> {
  const { endpoint, peer, peerId, verifier, incoming } = context;
  const { primitives, sealingKey } = endpoint;
  if (parsePairwiseKind(wire) !== 'notice')
    throw new CryptoError('wrong-context', 'a message is not a notice');
  const message = openBoxMessage({ primitives, verifier, pair: incoming, sealingKey }, wire);
  const notice = parseNotice(message.plaintext);

  const attempt = (offer: PreKeyOffer | null) =>
    inSessionTurn(context, async (session, state) => {
      const kept: KeyStoreChange[] = [await rememberMessage(endpoint, peerId, message)];
      const isReceived = (hash: Uint8Array): boolean => includesBytes(notice.received, hash);
      for (const hash of state.sent.filter(isReceived)) session.tx.put(sentName(peerId, toHex(hash)), null);
      let next: PeerState = { ...state, sent: state.sent.filter((hash) => !isReceived(hash)) };
      const wanted = next.sent.filter((hash) => includesBytes(notice.lost, hash));
      const wires: Uint8Array[] = [];
      if (wanted.length > 0) {
        const nowMs = context.now();
        // As long for each message: what a peer has sent again, all its devices together, stays little.
        if (nowMs < state.resetMs + RESET_WAIT_MS * wanted.length)
          throw new CryptoError('reset-limited', 'the peer asks for a fresh session too often');
        if (offer === null) return null;
        next = { ...(await startWith(context, session, next, offer)), resetMs: nowMs };
        for (const original of wanted) {
          // Kept in the same batches as the list that names it.
          const sent = (await session.tx.get(sentName(peerId, toHex(original)))) as Uint8Array;
          const [id, plaintext] = [sent.subarray(0, MESSAGE_ID_BYTES), sent.subarray(MESSAGE_ID_BYTES)];
          const again = await sealContent(context, session, { id, original, plaintext });
          wires.push(again);
          kept.push(...(await keep(again)));
        }
      }
      await commit(context, session, next, kept);
      return wires;
    });
  return (await attempt(null)) ?? ((await attempt(await peer.fetchOffer())) as Uint8Array[]);
}
