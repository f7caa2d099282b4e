import { toBase64Url } from '@keytide/crypto-core';
import type { HostileAnswer } from './attack.ts';
import { isCheckpoint } from './checkpoint.ts';
import { forgeMembershipLog, readMembershipLog, type RelayKey } from './membership-log.ts';
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
  let wires: Promise<Uint8Array[]> | null = null;
  const notes = new Map<string, Promise<HostileAnswer>>();
  return relay.attack({
    victim,
    async call(call, forward) {
      const [, start, from] = /^(.*\/log)\?from=(\d+)$/.exec(call.path) ?? [];
      if (call.method === 'GET' && isCheckpoint(call.path)) {
        const note = notes.get(call.path) ?? forward(call);
        notes.set(call.path, note);
        return await note;
      }
      if (call.method !== 'GET' || start === undefined) return await forward(call);
      wires ??= readMembershipLog(call, start, forward);
      const shown = await wires;
      return {
        status: 200,
        body: { entries: shown.slice(Number(from)).map(toBase64Url), size: shown.length },
      };
    },
    toClient: (frame) => (frame.type === 'directory' ? [] : [frame]),
  });
}
