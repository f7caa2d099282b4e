import type { GroupEntry } from '@keytide/relay-protocol';
import { forgeGroupLog, type ForgedGroupLog } from './group-log.ts';
import { forgeMembershipLog, type RelayKey } from './membership-log.ts';
import type { HostileRelay } from './relay.ts';

/**
 * Leaves entries of the membership log out of what one device is shown, a revocation for instance: all from index
 * `from` on, for a device that has not seen them yet. With the relay's key the checkpoint is one of the shorter log.
 *
 * A sound client notices as soon as a member who has seen more says so in a message, and reads and sends nothing
 * until it is shown what was withheld; where the policy demands witnesses, no later than their maximum age.
 */
export function withholdEntries(
  relay: HostileRelay,
  victim: string,
  from: number,
  key?: RelayKey,
): () => void {
  return forgeMembershipLog(relay, victim, (wires) => wires.slice(0, from), key);
}

/** A group's log with messages left out of it. */
export interface WithheldMessages extends ForgedGroupLog {
  /** What was left out so far, in order. */
  readonly withheld: readonly GroupEntry[];
  /** Shows what was left out, now, at the end; from then on leaves out nothing. */
  release(): void;
}

/**
 * Leaves messages out of the group's log that one device is shown. `isWithheld` gets each message with its number
 * from now on, 1 for the first; what is left has no gap in its numbers.
 *
 * The attacker needs nothing. A sound client reports what is missing by the chain of each sender, the closing of the
 * epoch and the heads in others' messages, and takes what comes late for out of order.
 */
export function withholdMessages(
  relay: HostileRelay,
  victim: string,
  isWithheld: (nth: number, message: GroupEntry) => boolean,
): WithheldMessages {
  const withheld: GroupEntry[] = [];
  let nth = 0;
  let isOver = false;
  const log = forgeGroupLog(relay, victim, (entry) => {
    if (entry.kind !== 'envelope' || isOver) return [entry];
    nth += 1;
    if (!isWithheld(nth, entry)) return [entry];
    withheld.push(entry);
    return [];
  });
  return {
    withheld,
    insert: log.insert,
    get size() {
      return log.size;
    },
    release() {
      isOver = true;
      log.insert(...withheld);
    },
  };
}
