import { compareBytes, equalBytes } from '../bytes.ts';
import { decodeCbor, encodeCbor, type CborValue } from '../cbor.ts';
import { readArray, readBytes, readKnown, readUint } from '../cbor-fields.ts';
import type { DeviceId } from '../ids.ts';
import { sorted } from '../sorted.ts';
import { peerStateName } from './names.ts';
import type { Transaction } from './transaction.ts';

const VERSION = 2;
const MAX_STATE_BYTES = 64 * 1024;
const HASH_BYTES = 32;

/** Length of the id that a message keeps when it is sent again: counter [8] ‖ random [8]. */
export const MESSAGE_ID_BYTES = 16;

/** Of how many last messages the plaintexts are kept for being asked again, and how many ids of opened messages against opening them twice. */
export const KEPT_MESSAGES = 64;

/** What this device remembers of its sessions with one peer, besides the sessions. All hashes are SHA-256 of wire bytes. */
export interface PeerState {
  /** Of the latest bundle of the peer that was believed, or 0. */
  readonly bundleMs: number;
  /** The counter of the next message. */
  readonly counter: number;
  /** What was sent and not confirmed, of the last messages, oldest first. */
  readonly sent: readonly Uint8Array[];
  /** What was opened, by id; the lowest are forgotten first, and refused when they are sent again. */
  readonly opened: readonly OpenedMessage[];
  /** What was opened since the last notice. */
  readonly unconfirmed: readonly Uint8Array[];
  /** What came and could not be opened. */
  readonly lost: readonly Uint8Array[];
  /** How often it was asked for, and when last. */
  readonly asks: number;
  readonly askedMs: number;
  /** When the peer last made this device start anew. */
  readonly resetMs: number;
  /** When something was last sealed or opened here. */
  readonly usedMs: number;
}

/** A message of the peer's that was opened. */
export interface OpenedMessage {
  readonly id: Uint8Array;
  readonly hash: Uint8Array;
}

const NEW_STATE: PeerState = {
  bundleMs: 0,
  counter: 0,
  sent: [],
  opened: [],
  unconfirmed: [],
  lost: [],
  asks: 0,
  askedMs: 0,
  resetMs: 0,
  usedMs: 0,
};

/** @throws CryptoError `malformed` for a damaged store */
export async function readPeerState(tx: Transaction, peer: DeviceId): Promise<PeerState> {
  const stored = await tx.get(peerStateName(peer));
  if (stored === null) return NEW_STATE;
  const fields = readArray(decodeCbor(stored, MAX_STATE_BYTES), 'peer state', 11);
  readKnown(fields[0], 'peer state version', VERSION);
  return {
    bundleMs: readUint(fields[1], 'bundle time'),
    counter: readUint(fields[2], 'counter'),
    sent: readHashes(fields[3]),
    opened: readArray(fields[4], 'opened').map((entry) => {
      const [id, hash] = readArray(entry, 'opened message', 2);
      return { id: readBytes(id, 'message id', MESSAGE_ID_BYTES), hash: readBytes(hash, 'hash', HASH_BYTES) };
    }),
    unconfirmed: readHashes(fields[5]),
    lost: readHashes(fields[6]),
    asks: readUint(fields[7], 'asks'),
    askedMs: readUint(fields[8], 'time of asking'),
    resetMs: readUint(fields[9], 'time of reset'),
    usedMs: readUint(fields[10], 'time of use'),
  };
}

export function writePeerState(tx: Transaction, peer: DeviceId, state: PeerState): void {
  const { bundleMs, counter, sent, unconfirmed, lost, asks, askedMs, resetMs, usedMs } = state;
  const opened = state.opened.map(({ id, hash }) => [id, hash]);
  const fields = [bundleMs, counter, sent, opened, unconfirmed, lost, asks, askedMs, resetMs, usedMs];
  tx.put(peerStateName(peer), encodeCbor([VERSION, ...fields]));
}

/** Whether one of the byte strings is this one. */
export function includesBytes(list: readonly Uint8Array[], bytes: Uint8Array): boolean {
  return list.some((other) => equalBytes(other, bytes));
}

/** The list without this byte string. */
export function withoutBytes(list: readonly Uint8Array[], bytes: Uint8Array): Uint8Array[] {
  return list.filter((other) => !equalBytes(other, bytes));
}

/** The list with this one at its end, once; the oldest fall out at the front. */
export function withNewest(list: readonly Uint8Array[], bytes: Uint8Array): Uint8Array[] {
  return [...withoutBytes(list, bytes), bytes].slice(-KEPT_MESSAGES);
}

/** The opened messages with one more; those with the lowest counters are forgotten. */
export function withOpened(opened: readonly OpenedMessage[], message: OpenedMessage): OpenedMessage[] {
  return sorted([...opened, message], (a, b) => compareBytes(a.id, b.id)).slice(-KEPT_MESSAGES);
}

/**
 * Whether this id is below all that are remembered, so that its message may have been opened. libsignal cannot tell
 * where a message was sent again: that has another key.
 */
export function isForgotten(opened: readonly OpenedMessage[], id: Uint8Array): boolean {
  const [lowest] = opened;
  return lowest !== undefined && opened.length >= KEPT_MESSAGES && compareBytes(id, lowest.id) < 0;
}

function readHashes(value: CborValue | undefined): Uint8Array[] {
  return readArray(value, 'hashes').map((hash) => readBytes(hash, 'hash', HASH_BYTES));
}
