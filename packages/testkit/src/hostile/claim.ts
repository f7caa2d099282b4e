import { isEntryHandedIn } from './entry-body.ts';
import type { HostileRelay } from './relay.ts';

/**
 * Tells one device that the membership log has so many entries: the highest number there is, where that wins.
 *
 * The attacker needs nothing. A sound client takes it for a hint to read the log, and believes what it can verify.
 */
export function claimSize(relay: HostileRelay, victim: string, size: number): void {
  for (const link of relay.linksOf(victim)) link.toClient({ type: 'directory', size });
}

/**
 * Takes the entries that one device (or the holder of an invite) hands in, says that they are stored at `index`, and
 * drops them.
 *
 * The attacker needs nothing. A sound client believes that its entry counts when it has read it in the log.
 */
export function swallowEntries(relay: HostileRelay, victim: string, index: number): () => void {
  return relay.attack({
    victim,
    call: async (call, forward) =>
      isEntryHandedIn(call) ? { status: 201, body: { index } } : await forward(call),
  });
}
