import {
  concatBytes,
  decodeCbor,
  encodeCbor,
  encodeUtf8,
  idBytes,
  orgId,
  type OrgId,
} from '@keytide/crypto-core';
import { ClientError } from './errors.ts';

/** What a device keeps beside its vault, in the clear, to ask for its unlock share (docs/spec/unlock-lease.md). */
export interface UnlockTicket {
  /** The relay's origin. */
  readonly relay: string;
  readonly org: OrgId;
  /** 32 bytes each, the newest first: more than one while a share takes the place of another. */
  readonly ids: readonly Uint8Array[];
}

const VERSION = 1;
const MAX_TICKET_BYTES = 1024;
/** Ids in a ticket. */
export const MAX_IDS = 8;

/** CBOR `[1, relay origin, org [32], [id [32], …]]`. */
export function encodeTicket({ relay, org, ids }: UnlockTicket): Uint8Array {
  return encodeCbor([VERSION, relay, idBytes(org), [...ids]]);
}

/** @throws ClientError `store-damaged` */
export function parseTicket(bytes: Uint8Array): UnlockTicket {
  try {
    const [version, relay, org, ids, ...rest] = decodeCbor(bytes, MAX_TICKET_BYTES) as unknown[];
    const isTicket =
      version === VERSION &&
      typeof relay === 'string' &&
      new URL(relay).origin === relay &&
      org instanceof Uint8Array &&
      Array.isArray(ids) &&
      ids.length >= 1 &&
      ids.length <= MAX_IDS &&
      ids.every((id) => id instanceof Uint8Array && id.length === 32) &&
      rest.length === 0;
    if (isTicket) return { relay, org: orgId(org), ids: ids as Uint8Array[] };
  } catch (cause) {
    throw notOne(cause);
  }
  throw notOne();
}

/** What a proof of the passphrase is made for: id [32] ‖ relay origin. So it is worth nothing at another relay. */
export function proofContext(relay: string, id: Uint8Array): Uint8Array {
  return concatBytes(id, encodeUtf8(relay) ?? new Uint8Array());
}

function notOne(cause?: unknown): ClientError {
  return new ClientError('store-damaged', 'the stored unlock ticket is not one', { cause });
}
