import type { HostileRelay } from './relay.ts';

/**
 * Moves every time that the relay tells by `shiftMs`: in `welcome`, and until when challenges and sessions are good.
 * Aimed at one device, or at everybody with `null`.
 *
 * The attacker needs nothing. A sound client takes time from its own clock and from what members have signed; the
 * relay's word makes nothing older or younger, and ends no epoch.
 */
export function lieAboutTime(relay: HostileRelay, victim: string | null, shiftMs: number): () => void {
  return relay.attack({
    ...(victim === null ? {} : { victim }),
    toClient: (frame) => [
      frame.type === 'welcome' ? { ...frame, relayTimeMs: Math.max(0, frame.relayTimeMs + shiftMs) } : frame,
    ],
    async call(call, forward) {
      const answer = await forward(call);
      const { expiresAtMs } = (answer.body ?? {}) as { expiresAtMs?: unknown };
      if (typeof expiresAtMs !== 'number') return answer;
      return {
        status: answer.status,
        body: { ...(answer.body as object), expiresAtMs: Math.max(0, expiresAtMs + shiftMs) },
      };
    },
  });
}
