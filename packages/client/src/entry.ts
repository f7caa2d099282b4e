import { concatBytes, CryptoError, decodeCbor, encodeCbor } from '@keytide/crypto-core';
import { encodeGroupEntry, LIMITS, type FloorBody, type GroupEntry } from '@keytide/relay-protocol';
import { ClientError } from './errors.ts';

/** Where what is kept of a group's log begins, or goes on after what was forgotten (docs/spec/floor.md). */
export interface LogFloor extends FloorBody {
  readonly kind: 'floor';
}

/** What a device keeps of a group's log, one record each. */
export type LogRecord = GroupEntry | LogFloor;

const STATEMENT = 1;
const FLOOR = 2;
const MAX_FLOOR_BYTES = LIMITS.statementBytes + 4096;

/** An entry as it is hashed; a floor is 2, then CBOR `[first seq, statement, frontier]`. */
export function encodeRecord(record: LogRecord): Uint8Array {
  if (record.kind !== 'floor') return encodeGroupEntry(record);
  const { firstSeq, statement, frontier } = record;
  return concatBytes(Uint8Array.of(FLOOR), encodeCbor([firstSeq, statement, frontier]));
}

/** Undoes `encodeRecord`. @throws ClientError `store-damaged` */
export function decodeRecord(bytes: Uint8Array): LogRecord {
  const kind = bytes[0];
  if (kind === FLOOR) return decodeFloor(bytes.slice(1));
  if (kind !== 0 && kind !== STATEMENT)
    throw new ClientError('store-damaged', 'a stored entry of no known kind');
  return { kind: kind === STATEMENT ? 'statement' : 'envelope', bytes: bytes.slice(1) };
}

function decodeFloor(bytes: Uint8Array): LogFloor {
  try {
    const value = decodeCbor(bytes, MAX_FLOOR_BYTES);
    const [firstSeq, statement, frontier] = Array.isArray(value) && value.length === 3 ? value : [];
    if (typeof firstSeq === 'number' && statement instanceof Uint8Array && frontier instanceof Uint8Array)
      return { kind: 'floor', firstSeq, statement, frontier };
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
  }
  throw new ClientError('store-damaged', 'a stored floor is not one');
}
