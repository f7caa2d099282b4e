import type { DeviceId } from '@keytide/crypto-core';
import type { KeptDirect, Letter } from './direct-shelf.ts';

/** What is kept of one member, in bytes: each message counts for its own and 256 more. */
const MEMBER_BYTES = 2_097_152;
/** The same of one's own other devices, which send copies of what they say to anybody. */
const OWN_BYTES = 16_777_216;
const EACH_BYTES = 256;
/** Sealed messages that wait here for one device. */
const LETTERS = 500;

/** Whether there is room for another message beside these, of one member; `isOwn`: of one's own other devices. */
export function hasRoom(kept: readonly KeptDirect[], isOwn: boolean): boolean {
  const bytes = kept.reduce((sum, { sizeBytes }) => sum + sizeBytes + EACH_BYTES, 0);
  return bytes < (isOwn ? OWN_BYTES : MEMBER_BYTES);
}

/** Whether as many messages wait for this device as may. */
export function isFull(letters: readonly Letter[], device: DeviceId): boolean {
  return letters.filter(({ recipient }) => recipient === device).length >= LETTERS;
}
