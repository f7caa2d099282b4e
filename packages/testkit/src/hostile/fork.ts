import { entryIn, isEntryHandedIn } from './entry-body.ts';
import { forgeMembershipLog, type RelayKey } from './membership-log.ts';
import type { HostileRelay } from './relay.ts';

/** A membership log of their own for some devices. */
export interface Fork {
  /** What these devices have added to it, which nobody else is shown. */
  readonly own: readonly Uint8Array[];
  /** Adds entries to it, and tells these devices. */
  grow(...wires: readonly Uint8Array[]): void;
  /** Lets them see the true log again, and tells them that it has grown. */
  heal(): void;
}

/**
 * From `size` entries on gives some devices a membership log of their own: what they add goes there and nowhere
 * else, and of the true log they see nothing more. Each of both logs is by the rules.
 *
 * With the relay's key each side gets checkpoints that bear its log out. A sound client finds out when a member of
 * the other side is heard, when both checkpoints meet, or when the views are put together again: each device has
 * kept what it was shown, and the two notes are proof.
 */
export function forkMembershipLog(
  relay: HostileRelay,
  devices: readonly string[],
  size: number,
  key?: RelayKey,
): Fork {
  const own: Uint8Array[] = [];
  const tell = (to: number): void => {
    for (const device of devices)
      for (const link of relay.linksOf(device)) link.toClient({ type: 'directory', size: to });
  };
  const grow = (...wires: readonly Uint8Array[]): void => {
    own.push(...wires);
    tell(size + own.length);
  };
  let trueSize = size;
  const ends = devices.flatMap((victim) => [
    relay.attack({
      victim,
      async call(call, forward) {
        if (!isEntryHandedIn(call)) return await forward(call);
        grow(entryIn(call.body));
        return { status: 201, body: { index: size + own.length - 1 } };
      },
      toClient(frame) {
        if (frame.type !== 'directory') return [frame];
        trueSize = Math.max(trueSize, frame.size);
        return [];
      },
    }),
    forgeMembershipLog(relay, victim, (wires) => [...wires.slice(0, size), ...own], key),
  ]);
  return {
    own,
    grow,
    heal() {
      for (const end of ends) end();
      tell(Math.max(trueSize, size + own.length) + 1);
    },
  };
}
