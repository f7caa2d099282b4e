import { fromBase64Url, toBase64Url } from '@keytide/crypto-core';
import type { HostileCall } from './attack.ts';

/** Whether a client hands in an entry of the membership log with this call. */
export function isEntryHandedIn({ method, path }: HostileCall): boolean {
  return method === 'POST' && path.endsWith('/log');
}

/** The entry that is handed in with this body. */
export function entryIn(body: unknown): Uint8Array {
  return fromBase64Url((body as { entry: string }).entry) as Uint8Array;
}

/** The body that hands in this entry. */
export function bodyOf(wire: Uint8Array): { readonly entry: string } {
  return { entry: toBase64Url(wire) };
}
