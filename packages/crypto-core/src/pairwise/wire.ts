import { concatBytes } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import { idBytes, type DeviceId, type OrgId } from '../ids.ts';
import { labelled } from '../labels.ts';

const VERSION = 1;

/** Version and kind. */
export const HEAD_BYTES = 2;

/** The longest wire bytes of one pairwise message: 72 KiB, for the longest plaintext, its padding and a session's own. */
export const MAX_PAIRWISE_WIRE_BYTES: number = 72 * 1024;

/** What a pairwise message is, by its second byte; a notice is a box that speaks of sessions. */
export type WireKind = 'box' | 'notice' | 'session' | 'session-start';

const KINDS: readonly WireKind[] = ['box', 'notice', 'session', 'session-start'];

/** The two bytes at the start of a message of this kind. */
export function wireHead(kind: WireKind): Uint8Array {
  return Uint8Array.of(VERSION, KINDS.indexOf(kind) + 1);
}

/**
 * What a pairwise message says it is, before anything is checked: for choosing who opens it.
 * @throws CryptoError `malformed`, `too-large`, `unsupported-version`
 */
export function parsePairwiseKind(wire: Uint8Array): WireKind {
  if (wire.length > MAX_PAIRWISE_WIRE_BYTES)
    throw new CryptoError('too-large', `a pairwise message has at most ${MAX_PAIRWISE_WIRE_BYTES} bytes`);
  if (wire.length < HEAD_BYTES) throw new CryptoError('malformed', 'too short for a pairwise message');
  if (wire[0] !== VERSION) throw new CryptoError('unsupported-version', 'unknown pairwise message version');
  const kind = KINDS[(wire[1] as number) - 1];
  if (kind === undefined) throw new CryptoError('malformed', 'unknown kind of pairwise message');
  return kind;
}

/** Who talks to whom; known to both, and never sent. */
export interface Pair {
  readonly org: OrgId;
  readonly sender: DeviceId;
  readonly recipient: DeviceId;
}

/** What a message's signature and encryption are bound to: label ‖ 00 ‖ head ‖ org [32] ‖ sender [32] ‖ recipient [32]. */
export function pairContext(head: Uint8Array, pair: Pair): Uint8Array {
  return labelled('pairwise', head, pairBytes(pair));
}

/** org [32] ‖ sender [32] ‖ recipient [32] */
export function pairBytes(pair: Pair): Uint8Array {
  return concatBytes(idBytes(pair.org), idBytes(pair.sender), idBytes(pair.recipient));
}
