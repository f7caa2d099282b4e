import { toHex, type Random } from '@keytide/crypto-core';

const RECORD_ID = /^[0-9a-f]{64}$/;
const RANDOM_DIGITS = 32;

/**
 * A new record's id: 16 random bytes and the 16 bytes of its owner's member id, in 64 hexadecimal characters. So
 * every operation says for itself whose record it is about, also where the creation is not known.
 */
export function newRecordId(random: Random, owner: string): string {
  return toHex(random(RANDOM_DIGITS / 2)) + owner;
}

/** The member who created the record, or `null` where this is no record's id. */
export function ownerOf(id: string): string | null {
  return RECORD_ID.test(id) ? id.slice(RANDOM_DIGITS) : null;
}
