import { fromBase64Url, orgId, toBase64Url, type Primitives, type Signer } from '@keytide/crypto-core';
import type { Forward, HostileAnswer, HostileCall } from './attack.ts';
import type { HostileRelay } from './relay.ts';
import { signLog } from '../signed-log.ts';

/** What a forger signs checkpoints with: the relay's own key. */
export interface RelayKey {
  readonly primitives: Primitives;
  readonly signer: Signer;
}

/**
 * Shows one device (or the holder of an invite) another membership log: `rewrite` gets all entries of the true
 * one at each read, and answers all that the victim is to see. With the relay's key, checkpoint and tiles are
 * those of what is shown; without, the true ones. The returned function ends it.
 *
 * A sound client replays every entry by the rules, so nothing that is shown is believed unless a device signed it
 * that held the right at that point of the log.
 */
export function forgeMembershipLog(
  relay: HostileRelay,
  victim: string,
  rewrite: (wires: readonly Uint8Array[]) => readonly Uint8Array[],
  key?: RelayKey,
): () => void {
  return relay.attack({
    victim,
    async call(call, forward) {
      const [, start, what] = /^(.*\/log)(\?from=\d+|\/checkpoint|\/tile\/.*)$/.exec(call.path) ?? [];
      if (call.method !== 'GET' || start === undefined || what === undefined) return await forward(call);
      if (what.startsWith('/')) {
        if (key === undefined) return await forward(call);
        return signedAnswer(call, rewrite(await readMembershipLog(call, start, forward)), key, what.slice(1));
      }
      const wires = rewrite(await readMembershipLog(call, start, forward));
      const entries = wires.slice(Number(what.slice('?from='.length))).map(toBase64Url);
      return { status: 200, body: { entries, size: wires.length } };
    },
  });
}

function signedAnswer(
  { path }: HostileCall,
  wires: readonly Uint8Array[],
  { primitives, signer }: RelayKey,
  what: string,
): HostileAnswer {
  const org = orgId(path.split('/')[3] as string);
  const { note, tile } = signLog({ primitives, signer, org }, wires);
  const body = what === 'checkpoint' ? note : tile(what);
  return body === null ? { status: 404, body: { code: 'not-found', message: '' } } : { status: 200, body };
}

/** All entries of the true log, with the session of `call`; `start` is the path up to `…/log`. */
export async function readMembershipLog(
  call: HostileCall,
  start: string,
  forward: Forward,
): Promise<Uint8Array[]> {
  const wires: Uint8Array[] = [];
  for (;;) {
    const { body } = await forward({ ...call, path: `${start}?from=${wires.length}` });
    const { entries, size } = body as { entries: string[]; size: number };
    wires.push(...entries.map((entry) => fromBase64Url(entry) as Uint8Array));
    if (wires.length >= size || entries.length === 0) return wires;
  }
}
