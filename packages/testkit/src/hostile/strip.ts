import { decodeCbor, encodeCbor } from '@keytide/crypto-core';
import { MAX_ENTRY_BYTES } from '@keytide/key-directory/verify';
import { forgeMembershipLog, type RelayKey } from './membership-log.ts';
import type { HostileRelay } from './relay.ts';

/**
 * How a signature is taken off: zeros where it was, which has the right length; no bytes; or no signature at all,
 * the author's name with it.
 */
export type Stripping = 'zeros' | 'no-bytes' | 'none';

/** An entry of the membership log with the same content and without its author's signature. */
export function stripEntry(wire: Uint8Array, how: Stripping = 'zeros'): Uint8Array {
  const [bytes, [author, ...approvals]] = decodeCbor(wire, MAX_ENTRY_BYTES) as unknown as [
    Uint8Array,
    [[Uint8Array, Uint8Array], ...[Uint8Array, Uint8Array][]],
  ];
  if (how === 'none') return encodeCbor([bytes, approvals]);
  const signature = new Uint8Array(how === 'zeros' ? author[1].length : 0);
  return encodeCbor([bytes, [[author[0], signature], ...approvals]]);
}

/**
 * Takes the signatures off the entries of the membership log that one device is shown, from index `from` on. Their
 * content and the chain of their hashes stay as they are.
 *
 * The attacker needs nothing, and could as well write the content. A sound client believes an entry for the
 * signature it carries, not for the chain it is in.
 */
export function stripEntrySignatures(
  relay: HostileRelay,
  victim: string,
  { from, how = 'zeros', key }: { readonly from: number; readonly how?: Stripping; readonly key?: RelayKey },
): () => void {
  const rewrite = (wires: readonly Uint8Array[]): Uint8Array[] =>
    wires.map((wire, index) => (index < from ? wire : stripEntry(wire, how)));
  return forgeMembershipLog(relay, victim, rewrite, key);
}
