import {
  CryptoError,
  decodeCbor,
  deviceId,
  encodeCbor,
  groupId,
  idBytes,
  orgId,
  type CborValue,
  type DeviceId,
  type GroupId,
  type OrgId,
} from '@keytide/crypto-core';
import { LIMITS, type HintTopic } from '@keytide/relay-protocol';

/** What one relay tells the others (docs/spec/cluster.md). */
export type BusMessage =
  /** A group's log goes that far. */
  | { readonly type: 'head'; readonly org: OrgId; readonly group: GroupId; readonly seq: number }
  /** A membership log has grown, or sessions were ended: look. */
  | { readonly type: 'look' }
  /** Devices are to look there again. */
  | {
      readonly type: 'hint';
      readonly org: OrgId;
      readonly topic: HintTopic;
      readonly devices: readonly DeviceId[] | 'everyone';
    }
  /** A frame that is stored nowhere. */
  | { readonly type: 'ephemeral'; readonly org: OrgId; readonly group: GroupId; readonly frame: Uint8Array }
  /** Somebody has used up so much of an allowance. */
  | { readonly type: 'spent'; readonly rate: string; readonly id: string; readonly count: number };

/** What a node says at once. */
export interface Batch {
  /** 16 bytes that name the sender. */
  readonly from: Uint8Array;
  readonly messages: readonly BusMessage[];
}

const VERSION = 1;
const MAX_BYTES = 65_536;
const TOPICS: readonly HintTopic[] = ['access', 'mail', 'data', 'wipe', 'retention'];

/** [1, from, [[type, …], …]] in CBOR. */
export function encodeBatch(from: Uint8Array, messages: readonly BusMessage[]): Uint8Array {
  return encodeCbor([VERSION, from, messages.map(valueOf)]);
}

/** `null` for what no node of this version says: whoever can write to the bus can at most make it read in vain. */
export function decodeBatch(bytes: Uint8Array): Batch | null {
  try {
    const [version, from, messages] = decodeCbor(bytes, MAX_BYTES) as [number, Uint8Array, CborValue[]];
    if (version !== VERSION || !(from instanceof Uint8Array) || !Array.isArray(messages)) return null;
    return { from, messages: messages.map(messageIn) };
  } catch (error) {
    if (error instanceof CryptoError || error instanceof TypeError) return null;
    throw error;
  }
}

function valueOf(message: BusMessage): CborValue {
  switch (message.type) {
    case 'head':
      return [0, idBytes(message.org), idBytes(message.group), message.seq];
    case 'look':
      return [1];
    case 'hint': {
      const devices = message.devices === 'everyone' ? null : message.devices.map(idBytes);
      return [2, idBytes(message.org), TOPICS.indexOf(message.topic), devices];
    }
    case 'ephemeral':
      return [3, idBytes(message.org), idBytes(message.group), message.frame];
    case 'spent':
      return [4, message.rate, message.id, message.count];
  }
}

/** @throws TypeError, CryptoError for anything else */
function messageIn(value: CborValue): BusMessage {
  const [type, first, second, third] = value as [number, never, never, never];
  switch (type) {
    case 0:
      return { type: 'head', org: orgId(first), group: groupId(second), seq: whole(third) };
    case 1:
      return { type: 'look' };
    case 2: {
      const topic = TOPICS[whole(second)];
      if (topic === undefined) throw new TypeError('no such topic');
      const devices = third === null ? 'everyone' : (third as Uint8Array[]).map((id) => deviceId(id));
      return { type: 'hint', org: orgId(first), topic, devices };
    }
    case 3: {
      const frame: unknown = third;
      if (!(frame instanceof Uint8Array) || frame.length > LIMITS.ephemeralBytes)
        throw new TypeError('not a frame');
      return { type: 'ephemeral', org: orgId(first), group: groupId(second), frame };
    }
    case 4:
      return { type: 'spent', rate: String(first), id: String(second), count: whole(third) };
    default:
      throw new TypeError('no such message');
  }
}

function whole(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new TypeError('not a whole number');
  return value as number;
}
