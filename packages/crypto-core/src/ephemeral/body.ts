import { decodeCbor, encodeCbor } from '../cbor.ts';
import { readArray, readBytes, readKnown, readUint } from '../cbor-fields.ts';
import { CryptoError } from '../errors.ts';

const VERSION = 1;
const CHANNEL_BYTES = 16;

/** The longest maximum age: ten minutes. For as long a receiver remembers a session. */
export const MAX_EPHEMERAL_AGE_MS: number = 10 * 60_000;

const KINDS = ['live', 'heartbeat'] as const;

/** `live`: what the application sends, such as a location or that somebody is typing. */
export type EphemeralKind = (typeof KINDS)[number];

/** The signed inside of a frame. Times in milliseconds since 1970, by the sender's clock. */
export interface EphemeralBody {
  readonly kind: EphemeralKind;
  /** 16 bytes; zeros for heartbeats, which belong to the whole group. */
  readonly channel: Uint8Array;
  /** When the session started. */
  readonly startedMs: number;
  readonly sentMs: number;
  /** How long after `sentMs` it may still be shown; at most `MAX_EPHEMERAL_AGE_MS`. */
  readonly maxAgeMs: number;
  readonly payload: Uint8Array;
}

/** CBOR `[1, kind, channel, started, sent - started, max age, payload]`. @throws CryptoError `malformed` */
export function bodyBytes(body: EphemeralBody): Uint8Array {
  const { kind, channel, startedMs, sentMs, maxAgeMs, payload } = body;
  const bytes = encodeCbor([
    VERSION,
    KINDS.indexOf(kind),
    channel,
    startedMs,
    sentMs - startedMs,
    maxAgeMs,
    payload,
  ]);
  readBody(bytes, bytes.length); // what this side sends, the other side must be able to read
  return bytes;
}

/** Reads a body; the byte strings of the result are views into `bytes`. @throws CryptoError `malformed`, `too-large`, `unsupported-version` */
export function readBody(bytes: Uint8Array, maxBytes: number): EphemeralBody {
  const fields = readArray(decodeCbor(bytes, maxBytes), 'ephemeral body', 7);
  readKnown(fields[0], 'ephemeral version', VERSION);
  const kind = KINDS[readUint(fields[1], 'kind', KINDS.length - 1)] as EphemeralKind;
  const channel = readBytes(fields[2], 'channel', CHANNEL_BYTES);
  const startedMs = readUint(fields[3], 'start of the session');
  const sentMs = startedMs + readUint(fields[4], 'time since the start');
  const maxAgeMs = readUint(fields[5], 'maximum age', MAX_EPHEMERAL_AGE_MS);
  const payload = readBytes(fields[6], 'payload');
  if (!Number.isSafeInteger(sentMs)) throw new CryptoError('malformed', 'no such time');
  if (kind === 'heartbeat' && channel.some((byte) => byte !== 0))
    throw new CryptoError('malformed', 'a heartbeat belongs to no channel');
  return { kind, channel, startedMs, sentMs, maxAgeMs, payload };
}
