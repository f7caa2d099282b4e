import { decodeCbor, encodeCbor } from '../cbor.ts';
import { readArray, readBytes, readKnown, readUint } from '../cbor-fields.ts';
import type { SenderHead } from '../chain.ts';
import type { Closing } from '../epoch-statement.ts';
import { CryptoError } from '../errors.ts';
import type { Heads } from '../message-body.ts';
import { MAX_EPHEMERAL_BYTES, type EphemeralMessage } from './frame.ts';

const VERSION = 1;

/** What a quiet member says it has said and seen (docs/spec/heartbeat.md). */
export interface Heartbeat {
  /** The sender's own last message that the relay has acknowledged; `null`: none yet. */
  readonly last: SenderHead;
  /** The states of the logs as the sender sees them. */
  readonly heads: Heads;
}

/** The payload of a heartbeat: CBOR `[1, [counter, link] | null, [directory size, root, group size, root]]`. */
export function encodeHeartbeat({ last, heads: { directory, group } }: Heartbeat): Uint8Array {
  return encodeCbor([
    VERSION,
    last === null ? null : [last.counter, last.link],
    [directory.size, directory.root, group.size, group.root],
  ]);
}

/** Reads a heartbeat that was received. @throws CryptoError `malformed`, `unsupported-version`, `wrong-context` (not a heartbeat) */
export function readHeartbeat({ kind, payload }: EphemeralMessage): Heartbeat {
  if (kind !== 'heartbeat')
    throw new CryptoError('wrong-context', 'an ephemeral message that is no heartbeat');
  const fields = readArray(decodeCbor(payload, MAX_EPHEMERAL_BYTES), 'heartbeat', 3);
  readKnown(fields[0], 'heartbeat version', VERSION);
  const heads = readArray(fields[2], 'heads', 4);
  const [directory, group] = [heads.slice(0, 2), heads.slice(2)].map(([size, root]) => ({
    size: readUint(size, 'log size'),
    root: readBytes(root, 'log root', 32),
  })) as [Heads['directory'], Heads['group']];
  if (fields[1] === null) return { last: null, heads: { directory, group } };
  const last = readArray(fields[1], 'last message', 2);
  return {
    last: { counter: readUint(last[0], 'counter'), link: readBytes(last[1], 'link', 32) },
    heads: { directory, group },
  };
}

/** What a heartbeat says of the group's log, as a closing says it, for `compareClosing`. */
export function closingOfHeartbeat(message: EphemeralMessage): Closing {
  const { last, heads } = readHeartbeat(message);
  return { group: heads.group, senders: last === null ? [] : [{ device: message.sender, ...last }] };
}
