import {
  deviceId,
  encodeCbor,
  groupId,
  idBytes,
  toHex,
  type CborValue,
  type DeviceId,
  type GroupId,
} from '@keytide/crypto-core';
import { ProtocolError } from './errors.ts';
import { readArray, readBytes, readExactBytes, readText, readTuple, readUint } from './fields.ts';
import { readFrame } from './frame.ts';
import { LIMITS, PROTOCOL_VERSION } from './limits.ts';

/** What a client sends (docs/spec/frames.md). `requestId` and `nonce` are the client's own unsigned integers. */
export type ClientFrame =
  /** The first frame. `token` from `POST …/sessions`. */
  | { readonly type: 'hello'; readonly token: string }
  /** Stores envelopes, in this order. */
  | {
      readonly type: 'append';
      readonly requestId: number;
      readonly group: GroupId;
      readonly items: readonly AppendItem[];
    }
  /** Stores an epoch statement with its boxes if the epoch number is still free. */
  | {
      readonly type: 'announce';
      readonly requestId: number;
      readonly group: GroupId;
      /** 16 bytes. */
      readonly messageId: Uint8Array;
      readonly statement: Uint8Array;
      readonly boxes: readonly AddressedBox[];
    }
  /** Asks for everything after `afterSeq` (0 for all), then for what comes. */
  | {
      readonly type: 'subscribe';
      readonly group: GroupId;
      readonly afterSeq: number;
      /** The timeline that `afterSeq` is of, 16 bytes; needed above 0. */
      readonly timeline?: Uint8Array;
    }
  | { readonly type: 'ping'; readonly nonce: number }
  /** A frame of docs/spec/ephemeral.md for whoever is connected now. Is not answered, and stored nowhere. */
  | { readonly type: 'ephemeral'; readonly group: GroupId; readonly frame: Uint8Array };

/** One envelope and the 16-byte id that makes its append repeatable: same id and bytes, same seq. */
export interface AppendItem {
  readonly messageId: Uint8Array;
  readonly envelope: Uint8Array;
}

/** A sealed epoch key and the device that can open it. */
export interface AddressedBox {
  readonly device: DeviceId;
  readonly box: Uint8Array;
}

const TYPE = { hello: 1, append: 2, announce: 3, subscribe: 4, ping: 5, ephemeral: 6 } as const;

/** The frame's bytes. @throws CryptoError `malformed` for numbers that CBOR of this project cannot carry */
export function encodeClientFrame(frame: ClientFrame): Uint8Array {
  return encodeCbor(clientFrameValue(frame));
}

/**
 * Parses a frame of a client.
 * @throws ProtocolError `too-large` over 1 MiB (16 MiB for announce), `unsupported-version` for a hello of
 *   another version, `malformed` for anything else that is not exactly one frame
 */
export function decodeClientFrame(bytes: Uint8Array): ClientFrame {
  const announces = bytes[1] === TYPE.announce;
  const fields = readFrame(bytes, announces ? LIMITS.announceFrameBytes : LIMITS.frameBytes);
  switch (fields[0]) {
    case TYPE.hello:
      return decodeHello(fields);
    case TYPE.append:
      return decodeAppend(readTuple(fields, 4));
    case TYPE.announce:
      return decodeAnnounce(readTuple(fields, 6));
    case TYPE.subscribe: {
      const [, group, afterSeq, timeline] = readTuple(fields, fields.length === 3 ? 3 : 4);
      const of = timeline === undefined ? {} : { timeline: readExactBytes(timeline, LIMITS.timelineBytes) };
      return { type: 'subscribe', group: readGroup(group), afterSeq: readUint(afterSeq), ...of };
    }
    case TYPE.ping:
      return { type: 'ping', nonce: readUint(readTuple(fields, 2)[1]) };
    case TYPE.ephemeral: {
      const [, group, frame] = readTuple(fields, 3);
      return { type: 'ephemeral', group: readGroup(group), frame: readBytes(frame, LIMITS.ephemeralBytes) };
    }
    default:
      throw new ProtocolError('malformed', 'not a frame of a client');
  }
}

/** A group id in a frame: 32 bytes. @throws ProtocolError `malformed` */
export function readGroup(value: CborValue | undefined): GroupId {
  return groupId(toHex(readExactBytes(value, 32)));
}

function clientFrameValue(frame: ClientFrame): CborValue {
  switch (frame.type) {
    case 'hello':
      return [TYPE.hello, PROTOCOL_VERSION, frame.token];
    case 'append': {
      const items = frame.items.map((item) => [item.messageId, item.envelope]);
      return [TYPE.append, frame.requestId, idBytes(frame.group), items];
    }
    case 'announce': {
      const boxes = frame.boxes.map(({ device, box }) => [idBytes(device), box]);
      return [TYPE.announce, frame.requestId, idBytes(frame.group), frame.messageId, frame.statement, boxes];
    }
    case 'subscribe':
      return [
        TYPE.subscribe,
        idBytes(frame.group),
        frame.afterSeq,
        ...(frame.timeline === undefined ? [] : [frame.timeline]),
      ];
    case 'ping':
      return [TYPE.ping, frame.nonce];
    case 'ephemeral':
      return [TYPE.ephemeral, idBytes(frame.group), frame.frame];
  }
}

function decodeHello(fields: readonly CborValue[]): ClientFrame {
  // The version is looked at before the length: a later version may have other fields.
  if (readUint(fields[1]) !== PROTOCOL_VERSION)
    throw new ProtocolError('unsupported-version', `this relay speaks version ${PROTOCOL_VERSION}`);
  return { type: 'hello', token: readText(readTuple(fields, 3)[2], LIMITS.tokenCharacters) };
}

function decodeAppend([, requestId, group, values]: readonly CborValue[]): ClientFrame {
  const items = readArray(values, LIMITS.appendItems).map((value) => {
    const [messageId, envelope] = readTuple(value, 2);
    return {
      messageId: readExactBytes(messageId, 16),
      envelope: readBytes(envelope, LIMITS.envelopeBytes),
    };
  });
  if (items.length === 0) throw new ProtocolError('malformed', 'an append of nothing');
  return { type: 'append', requestId: readUint(requestId), group: readGroup(group), items };
}

function decodeAnnounce(fields: readonly CborValue[]): ClientFrame {
  const [, requestId, group, messageId, statement, values] = fields;
  const boxes = readArray(values, LIMITS.boxes).map((value) => {
    const [device, box] = readTuple(value, 2);
    return { device: deviceId(toHex(readExactBytes(device, 32))), box: readBytes(box, LIMITS.boxBytes) };
  });
  return {
    type: 'announce',
    requestId: readUint(requestId),
    group: readGroup(group),
    messageId: readExactBytes(messageId, 16),
    statement: readBytes(statement, LIMITS.statementBytes),
    boxes,
  };
}
