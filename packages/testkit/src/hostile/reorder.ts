import type { GroupEntry } from '@keytide/relay-protocol';
import { forgeGroupLog, type ForgedGroupLog } from './group-log.ts';
import { forgeMembershipLog, type RelayKey } from './membership-log.ts';
import type { HostileRelay } from './relay.ts';

/**
 * Swaps the entry at `index` of the membership log that one device is shown with the one after it.
 *
 * A sound client refuses both: each entry signs its place and the hash of the one before.
 */
export function reorderEntries(
  relay: HostileRelay,
  victim: string,
  index: number,
  key?: RelayKey,
): () => void {
  const rewrite = (wires: readonly Uint8Array[]): Uint8Array[] => [
    ...wires.slice(0, index),
    ...wires.slice(index, index + 2).toReversed(),
    ...wires.slice(index + 2),
  ];
  return forgeMembershipLog(relay, victim, rewrite, key);
}

/**
 * Swaps each two messages that follow each other in the group's log that one device is shown, statements staying
 * where they are. A first message of two is held back until the second comes.
 *
 * The attacker needs nothing. A sound client shows messages of one sender in the order in which they were written:
 * it refuses the one that comes late and names the gap.
 */
export function reorderMessages(relay: HostileRelay, victim: string): ForgedGroupLog {
  let held: GroupEntry | null = null;
  return forgeGroupLog(relay, victim, (entry) => {
    if (entry.kind !== 'envelope') return [entry];
    const first = held;
    held = first === null ? entry : null;
    return first === null ? [] : [entry, first];
  });
}
