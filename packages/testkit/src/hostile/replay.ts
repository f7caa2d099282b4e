import type { HostileAnswer, HostileCall } from './attack.ts';
import { forgeGroupLog, type ForgedGroupLog } from './group-log.ts';
import { forgeMembershipLog, type RelayKey } from './membership-log.ts';
import type { HostileRelay } from './relay.ts';

/**
 * Shows one device the entry at `index` of the membership log once more, at its end.
 *
 * A sound client refuses it: an entry signs its place, so it counts once.
 */
export function replayEntry(relay: HostileRelay, victim: string, index: number, key?: RelayKey): () => void {
  const rewrite = (wires: readonly Uint8Array[]): Uint8Array[] => [
    ...wires,
    ...wires.slice(index, index + 1),
  ];
  return forgeMembershipLog(relay, victim, rewrite, key);
}

/**
 * Shows one device each message of the group's log twice.
 *
 * The attacker needs nothing. A sound client shows it once.
 */
export function replayMessages(relay: HostileRelay, victim: string): ForgedGroupLog {
  return forgeGroupLog(relay, victim, (entry) => (entry.kind === 'envelope' ? [entry, entry] : [entry]));
}

/** Calls that a hostile relay has kept. */
export interface KeptCalls {
  readonly calls: readonly HostileCall[];
  /** Makes all of them again, in order, with the sessions they had; what the real relay answers. */
  again(): Promise<HostileAnswer[]>;
  /** Keeps no more. */
  end(): void;
}

/**
 * Lets all calls pass and keeps those that `isKept` says: logins, invitations that are being accepted, sealing
 * records.
 *
 * Whoever keeps a call has what a client has said and can say it again. A sound protocol makes that worthless:
 * challenges are met once, entries fit at one place of the log, invites are used up.
 */
export function keepCalls(relay: HostileRelay, isKept: (call: HostileCall) => boolean): KeptCalls {
  const calls: HostileCall[] = [];
  const repeats: (() => Promise<HostileAnswer>)[] = [];
  const end = relay.attack({
    async call(call, forward) {
      if (isKept(call)) {
        calls.push(call);
        repeats.push(() => forward(call));
      }
      return await forward(call);
    },
  });
  return {
    calls,
    end,
    async again() {
      const answers: HostileAnswer[] = [];
      for (const repeat of repeats) answers.push(await repeat());
      return answers;
    },
  };
}
