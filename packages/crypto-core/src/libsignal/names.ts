import type { DeviceId } from '../ids.ts';

/** Where each thing is in the key store. Ids have a fixed length, so that names sort as numbers do. */
export const IDENTITY = 'libsignal/identity';
export const STOCK = 'libsignal/stock';
/** Is there when the relay may have pre-keys whose secrets are not. */
export const RENEWAL = 'libsignal/renewal';
export const PRE_KEYS = 'libsignal/pre-key/';
const KYBER_USES = 'libsignal/kyber-use/';

export const preKeyName = (id: number): string => PRE_KEYS + paddedId(id);
export const signedPreKeyName = (id: number): string => `libsignal/signed-pre-key/${paddedId(id)}`;
export const kyberPreKeyName = (id: number): string => `libsignal/kyber-pre-key/${paddedId(id)}`;
/** Under it, one name for each use of a last-resort Kyber pre-key. */
export const kyberUsesPrefix = (id: number): string => `${KYBER_USES}${paddedId(id)}/`;
export const sessionName = (peer: DeviceId): string => `libsignal/session/${peer}`;
export const peerIdentityName = (peer: DeviceId): string => `libsignal/peer-identity/${peer}`;
/** What is remembered of each peer, by device id. */
export const PEERS = 'libsignal/peer/';
export const peerStateName = (peer: DeviceId): string => PEERS + peer;
/** A sent plaintext that the peer has not confirmed, by the hash of its wire bytes. */
export const sentName = (peer: DeviceId, hash: string): string => `libsignal/sent/${peer}/${hash}`;

function paddedId(id: number): string {
  return String(id).padStart(10, '0');
}
