import { fromBase64Url, toBase64Url } from '@keytide/crypto-core';
import type { Forward, HostileCall } from './hostile-attack.ts';
import type { HostileRelay } from './hostile-relay.ts';

/**
 * Shows one device (or the holder of an invite) another membership log: `rewrite` gets all entries of the true
 * one at each read, and answers all that the victim is to see. The returned function ends it.
 */
export function forgeMembershipLog(
  relay: HostileRelay,
  victim: string,
  rewrite: (wires: readonly Uint8Array[]) => readonly Uint8Array[],
): () => void {
  return relay.attack({
    victim,
    async call(call, forward) {
      const [, start, from] = /^(.*\/log\?from=)(\d+)$/.exec(call.path) ?? [];
      if (call.method !== 'GET' || start === undefined) return await forward(call);
      const wires = rewrite(await readAll(call, start, forward));
      const entries = wires.slice(Number(from)).map(toBase64Url);
      return { status: 200, body: { entries, size: wires.length } };
    },
  });
}

async function readAll(call: HostileCall, start: string, forward: Forward): Promise<Uint8Array[]> {
  const wires: Uint8Array[] = [];
  for (;;) {
    const { body } = await forward({ ...call, path: `${start}${wires.length}` });
    const { entries, size } = body as { entries: string[]; size: number };
    wires.push(...entries.map((entry) => fromBase64Url(entry) as Uint8Array));
    if (wires.length >= size || entries.length === 0) return wires;
  }
}
