import { fromHex, labelledHash, toHex, type Primitives } from '@keytide/crypto-core';
import { DirectoryError } from './errors.ts';

declare const brand: unique symbol;

/** 32 bytes as lower-case hex: the hash of an invite's public key. Public. */
export type InviteId = string & { readonly [brand]: 'invite' };

/** Reads an invite id from hex or from its 32 bytes. @throws DirectoryError `malformed` */
export function inviteId(value: string | Uint8Array): InviteId {
  const bytes = typeof value === 'string' ? fromHex(value) : value;
  if (bytes === null || bytes.length !== 32)
    throw new DirectoryError('malformed', 'an invite id has 32 bytes');
  return (typeof value === 'string' ? value : toHex(value)) as InviteId;
}

/** The id of the invite with this one-time Ed25519 public key (32 bytes). */
export function inviteIdOf(primitives: Primitives, publicKey: Uint8Array): InviteId {
  return inviteId(labelledHash(primitives, 'inviteId', publicKey));
}
