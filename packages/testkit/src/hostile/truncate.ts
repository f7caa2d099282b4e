import { encodeRelayFrame } from '@keytide/relay-protocol';
import type { HostileRelay } from './relay.ts';

/**
 * Cuts HTTP answers to one device (or to everybody, with `null`) off after `keptBytes`; `isCut` says at which paths,
 * by default all. Status and headers stay, so the shorter answer looks whole.
 *
 * The attacker needs nothing. A sound client treats it as no answer: it asks again, and has stored nothing of it.
 */
export function truncateAnswers(
  relay: HostileRelay,
  victim: string | null,
  keptBytes: number,
  isCut: (path: string) => boolean = () => true,
): () => void {
  return relay.attack({
    ...(victim === null ? {} : { victim }),
    async call(call, forward) {
      const { status, body } = await forward(call);
      if (!isCut(call.path)) return { status, body };
      const bytes = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
      return { status, body: new Uint8Array(bytes.subarray(0, keptBytes)) };
    },
  });
}

/**
 * Cuts `lostBytes` off the end of every frame to one device, or all but one byte where it is shorter.
 *
 * The attacker needs nothing. A sound client takes a frame as a whole or not at all, and starts a new connection.
 */
export function truncateFrames(relay: HostileRelay, victim: string, lostBytes: number): () => void {
  return relay.attack({
    victim,
    toClient(frame) {
      const bytes = encodeRelayFrame(frame);
      return [bytes.slice(0, Math.max(1, bytes.length - lostBytes))];
    },
  });
}

/**
 * Ends the pages of the membership log early: one device gets at most `entries` at a time, and the true size.
 *
 * The attacker needs nothing. A sound client reads on until it has them all.
 */
export function shortenPages(relay: HostileRelay, victim: string, entries: number): () => void {
  return relay.attack({
    victim,
    async call(call, forward) {
      const answer = await forward(call);
      if (call.method !== 'GET' || !/\/log\?from=\d+$/.test(call.path)) return answer;
      const page = answer.body as { readonly entries: readonly string[]; readonly size: number };
      return { status: answer.status, body: { ...page, entries: page.entries.slice(0, entries) } };
    },
  });
}
