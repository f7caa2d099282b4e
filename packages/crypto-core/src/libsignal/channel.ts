import type { Keep, PairwiseChannel } from '../pairwise/channel.ts';
import type { PairwiseEndpoint } from '../pairwise/endpoint.ts';
import { signalContext, type SignalPeer } from './context.ts';
import { openNotice, sealNotice } from './notices.ts';
import { openInSession } from './open.ts';
import { sealInSession } from './seal.ts';

/** A channel of libsignal sessions (PQXDH, triple ratchet), which repairs itself with notices. */
export interface SignalChannel extends PairwiseChannel {
  /**
   * What this device owes the peer: which messages came, and which are to be sent again because no session here
   * opens them. Worth a call after messages came, and again later while something is lost.
   * @returns a sealed box, or `null` when there is nothing to say, or not yet again
   */
  sealNotice(keep: Keep): Promise<Uint8Array | null>;
  /**
   * Heeds a notice of the peer: forgets what came through, and sends what was lost again, in a fresh session.
   * @param keep is called for each message that is sent again
   * @returns the messages to send again, if any
   * @throws CryptoError `reset-limited` (the same notice works later), `replayed`, `decryption-failed`, `bad-signature`,
   * `wrong-context`, `malformed`, `too-large`, `unsupported-version`; of the pre-keys also `stale-bundle`, `bad-key`
   */
  openNotice(wire: Uint8Array, keep: Keep): Promise<Uint8Array[]>;
}

/**
 * The channel that two devices must use when both can: docs/spec/pairwise.md. libsignal takes its randomness
 * from the operating system, not from the endpoint.
 * @param now milliseconds since 1970
 * @throws CryptoError `ability-missing` when one of them cannot, `wrong-context` for a channel to itself
 */
export function signalChannel(
  endpoint: PairwiseEndpoint,
  peer: SignalPeer,
  now: () => number,
): SignalChannel {
  const context = signalContext(endpoint, peer, now);
  return {
    kind: 'session',
    seal: (plaintext, keep) => sealInSession(context, plaintext, keep),
    open: (wire, keep) => openInSession(context, wire, keep),
    sealNotice: (keep) => sealNotice(context, keep),
    openNotice: (wire, keep) => openNotice(context, wire, keep),
  };
}
