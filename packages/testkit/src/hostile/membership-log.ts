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
      const [, start, rest = ''] = /^(.*\/log)([?/].*)$/.exec(call.path) ?? [];
      const what = /^\?from=|^\/checkpoint(\?|$)|^\/tile\//.test(rest) ? rest : null;
      if (call.method !== 'GET' || start === undefined || what === null) return await forward(call);
      const answer = await forward(call);
      // Whoever has to log in again is told so.
      if (answer.status === 401 || (what.startsWith('/') && key === undefined)) return answer;
      const wires = rewrite(await readMembershipLog(call, start, forward));
      if (what.startsWith('/')) return signedAnswer(call, wires, key as RelayKey, what.slice(1));
      return { status: 200, body: pageOf(wires, what) };
    },
  });
}

/** A page of a membership log as `GET …/log` answers it; `query` is `?from=` and what follows. */
export function pageOf(
  wires: readonly Uint8Array[],
  query: string,
): { readonly entries: readonly string[]; readonly size: number } {
  const asked = new URLSearchParams(query);
  const from = Number(asked.get('from'));
  const count = Number(asked.get('count') ?? wires.length);
  return { entries: wires.slice(from, from + count).map(toBase64Url), size: wires.length };
}

function signedAnswer(
  { path }: HostileCall,
  wires: readonly Uint8Array[],
  { primitives, signer }: RelayKey,
  what: string,
): HostileAnswer {
  const org = orgId(path.split('/')[3] as string);
  const size = Number(/^checkpoint\?size=(\d+)$/.exec(what)?.[1] ?? wires.length);
  const { note, tile } = signLog({ primitives, signer, org }, wires.slice(0, size));
  const body = what.startsWith('checkpoint') ? (size > wires.length ? null : note) : tile(what);
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
