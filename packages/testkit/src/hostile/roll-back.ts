import type { HostileAnswer } from './attack.ts';
import { forgeMembershipLog, pageOf, readMembershipLog, type RelayKey } from './membership-log.ts';
import type { HostileRelay } from './relay.ts';

/**
 * Shows one device the membership log as it was when it had `size` entries, which the device has seen grow since.
 * With the relay's key the checkpoint is one of then; without, the newest true one.
 *
 * A sound client never goes back behind what it has verified: it stops, with the newest note that the relay has
 * signed and the old one.
 */
export function rollBackMembershipLog(
  relay: HostileRelay,
  victim: string,
  size: number,
  key?: RelayKey,
): () => void {
  return forgeMembershipLog(relay, victim, (wires) => wires.slice(0, size), key);
}

/**
 * Freezes what one device sees of the membership log: entries and checkpoint stay what they are at its next read,
 * cosignatures and all, and it is told of no growth.
 *
 * The attacker needs no key: everything shown is true, and old. A sound client finds out from its members' messages;
 * where nobody writes, only by the age of the newest cosignature, so a policy bounds that age.
 */
export function freezeMembershipLog(relay: HostileRelay, victim: string): () => void {
  let wires: readonly Uint8Array[] | null = null;
  const notes = new Map<string, HostileAnswer>();
  return relay.attack({
    victim,
    async call(call, forward) {
      const [, start, rest = ''] = /^(.*\/log)([?/].*)$/.exec(call.path) ?? [];
      const isNote = /^\/(checkpoint|cosignatures)/.test(rest);
      if (call.method !== 'GET' || start === undefined || !(isNote || rest.startsWith('?from=')))
        return await forward(call);
      const answer = await forward(call);
      // Whoever has to log in again is told so.
      if (answer.status !== 200) return answer;
      if (isNote) {
        if (!notes.has(rest)) notes.set(rest, answer);
        return notes.get(rest) as HostileAnswer;
      }
      wires ??= await readMembershipLog(call, start, forward);
      return { status: 200, body: pageOf(wires, rest) };
    },
    toClient: (frame) => (frame.type === 'directory' ? [] : [frame]),
  });
}
