import { equalBytes } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import type { Keep } from '../pairwise/channel.ts';
import { parsePairwiseKind } from '../pairwise/wire.ts';
import { commit, inSessionTurn, storedSession, type SignalContext } from './context.ts';
import { RENEWAL } from './names.ts';
import { isAskDue } from './notice.ts';
import { ownBytes } from './own-bytes.ts';
import {
  includesBytes,
  isForgotten,
  withNewest,
  withOpened,
  withoutBytes,
  type PeerState,
} from './peer-state.ts';
import { archiveSession, decryptInSession, type SessionMessage } from './session.ts';
import { parseContent, verifySessionMessage } from './session-wire.ts';

/** `PairwiseChannel.open`. */
export async function openInSession(
  context: SignalContext,
  wire: Uint8Array,
  keep: Keep,
): Promise<Uint8Array> {
  const { endpoint, verifier, incoming } = context;
  const { primitives } = endpoint;
  const kind = parsePairwiseKind(wire);
  if (kind === 'box')
    throw new CryptoError('downgraded', 'a sealed box, although both devices can hold sessions');
  if (kind === 'notice') throw new CryptoError('wrong-context', 'a notice is not a message');
  // libsignal reads it in a later turn; by then the caller may have changed what was checked here.
  const own = ownBytes(wire);
  const message = verifySessionMessage(primitives, verifier, incoming, kind, own);
  const hash = primitives.sha256(own);
  return inSessionTurn(context, async (session, state) => {
    if (state.opened.some((opened) => equalBytes(opened.hash, hash))) throw replayed();

    const padded = await decryptInSession(session, message).catch(async (error: unknown) => {
      if (!includesBytes(state.lost, hash)) await noteLoss(context, state, { hash, kind }, error);
      throw error;
    });
    const { id, original, plaintext } = parseContent(primitives, incoming, padded);
    if (state.opened.some((opened) => equalBytes(opened.id, id))) throw replayed();
    if (original !== null && isForgotten(state.opened, id)) throw replayed();
    const confirmed = original ?? hash;
    const lost = withoutBytes(state.lost, confirmed);
    const next = {
      ...state,
      opened: withOpened(state.opened, { id, hash }),
      unconfirmed: withNewest(state.unconfirmed, confirmed),
      lost,
      asks: lost.length === 0 ? 0 : state.asks,
      usedMs: context.now(),
    };
    await commit(context, session, next, await keep(plaintext));
    return plaintext;
  });
}

/**
 * Remembers to ask for a message that its sender has signed and no session here opens. A message key that was
 * used before may mean a relay that repeats, or a sender who went back to an older copy of its store; the sender
 * can tell, so it is asked as well. Otherwise this device may be the one that went back: it stops sealing in a
 * session that the peer may not have, and has the relay drop pre-keys that it may not have.
 */
async function noteLoss(
  context: SignalContext,
  state: PeerState,
  message: { readonly hash: Uint8Array; readonly kind: SessionMessage['kind'] },
  error: unknown,
): Promise<void> {
  const code = error instanceof CryptoError ? error.code : null;
  if (code !== 'session-lost' && code !== 'replayed') return;
  // What libsignal left behind in the failed act is not written.
  const session = await storedSession(context);
  if (code === 'session-lost' && isAskDue(state, context.now())) {
    await archiveSession(session);
    if (message.kind === 'session-start') session.tx.put(RENEWAL, new Uint8Array(0));
  }
  await commit(context, session, { ...state, lost: withNewest(state.lost, message.hash) }, []);
}

function replayed(): CryptoError {
  return new CryptoError('replayed', 'this message was opened before');
}
