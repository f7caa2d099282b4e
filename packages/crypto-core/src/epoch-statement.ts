import { compareBytes } from './bytes.ts';
import { decodeCbor, encodeCbor, type CborValue } from './cbor.ts';
import { readArray, readBytes, readKnown, readUint } from './cbor-fields.ts';
import { CryptoError } from './errors.ts';
import { labelledHash } from './hash.ts';
import { deviceId, groupId, idBytes, orgId, type DeviceId, type GroupId, type OrgId } from './ids.ts';
import type { Primitives, Signer } from './primitives.ts';
import { signBytes } from './sign.ts';

const VERSION = 1;
const SUITE = 1;
const HASH_BYTES = 32;
const MAX_EPOCH = 2 ** 32 - 1;

/** The longest epoch statement that is read: 1 MiB. */
export const MAX_STATEMENT_BYTES: number = 1024 * 1024;

const REASONS = ['first', 'block-boundary', 'membership-changed', 'on-demand'] as const;

/** Why an epoch was started. `first` belongs to epoch 1 and to no other. */
export type EpochReason = (typeof REASONS)[number];

/** A state of an append-only log: how many entries, and the RFC 9162 root over them (32 bytes). */
export interface Checkpoint {
  readonly size: number;
  readonly root: Uint8Array;
}

/** The last message that the author had seen of one sender: its counter and its link (32 bytes). */
export interface SenderClosing {
  readonly device: DeviceId;
  readonly counter: number;
  readonly link: Uint8Array;
}

/** How the author saw the previous epoch end. Senders are sorted by device id, each at most once. */
export interface Closing {
  readonly group: Checkpoint;
  readonly senders: readonly SenderClosing[];
}

/** What an epoch statement says (docs/spec/epoch-statement.md). Public; times in milliseconds since 1970. */
export interface EpochStatementFields {
  readonly org: OrgId;
  readonly group: GroupId;
  /** From 1, below 2^32. */
  readonly epoch: number;
  readonly blockStartMs: number;
  readonly blockEndMs: number;
  /** Hash of the previous statement, 32 bytes; zeros for epoch 1. */
  readonly previousHash: Uint8Array;
  /** The membership log that the recipients were computed from. */
  readonly checkpoint: Checkpoint;
  /** 32 bytes, see `keyCommitment`. */
  readonly keyCommitment: Uint8Array;
  /** 32 bytes, see `recipientsHash`. */
  readonly recipientsHash: Uint8Array;
  readonly reason: EpochReason;
  readonly closing: Closing;
  readonly author: DeviceId;
  readonly createdMs: number;
}

/** A statement as read from the wire. Nothing in it is trustworthy before `verifyEpochStatement`. */
export interface EpochStatement extends EpochStatementFields {
  /** The exact signed bytes. */
  readonly bytes: Uint8Array;
  /** Ed25519, 64 bytes. */
  readonly signature: Uint8Array;
  /** The statement's hash, 32 bytes: names this epoch in envelopes and in the next statement. */
  readonly hash: Uint8Array;
}

/** Encodes and signs: CBOR `[statement bytes, signature]`. @throws CryptoError `malformed`, `too-large` */
export function encodeEpochStatement(
  primitives: Primitives,
  signer: Signer,
  fields: EpochStatementFields,
): Uint8Array {
  const { closing, checkpoint } = fields;
  const bytes = encodeCbor([
    VERSION,
    SUITE,
    idBytes(fields.org),
    idBytes(fields.group),
    fields.epoch,
    fields.blockStartMs,
    fields.blockEndMs,
    fields.previousHash,
    [checkpoint.size, checkpoint.root],
    fields.keyCommitment,
    fields.recipientsHash,
    REASONS.indexOf(fields.reason),
    [
      closing.group.size,
      closing.group.root,
      closing.senders.map(({ device, counter, link }) => [idBytes(device), counter, link]),
    ],
    idBytes(fields.author),
    fields.createdMs,
  ]);
  const wire = encodeCbor([bytes, signBytes(primitives, signer, 'epochStatementSignature', bytes)]);
  parseEpochStatement(primitives, wire); // what this side sends, the other side must be able to read
  return wire;
}

/** Reads a statement WITHOUT checking its signature. @throws CryptoError `malformed`, `too-large`, `unsupported-version` */
export function parseEpochStatement(primitives: Primitives, wire: Uint8Array): EpochStatement {
  const parts = readArray(decodeCbor(wire, MAX_STATEMENT_BYTES), 'epoch statement', 2);
  const bytes = readBytes(parts[0], 'statement bytes');
  const signature = readBytes(parts[1], 'signature', 64);
  const fields = readArray(decodeCbor(bytes, MAX_STATEMENT_BYTES), 'epoch statement', 15);
  readKnown(fields[0], 'statement version', VERSION);
  readKnown(fields[1], 'suite', SUITE);
  const statement: EpochStatement = {
    org: orgId(readBytes(fields[2], 'organisation id', 32)),
    group: groupId(readBytes(fields[3], 'group id', 32)),
    epoch: readUint(fields[4], 'epoch', MAX_EPOCH),
    blockStartMs: readUint(fields[5], 'block start'),
    blockEndMs: readUint(fields[6], 'block end'),
    previousHash: readBytes(fields[7], 'previous hash', HASH_BYTES),
    checkpoint: readCheckpoint(readArray(fields[8], 'checkpoint', 2)),
    keyCommitment: readBytes(fields[9], 'key commitment', HASH_BYTES),
    recipientsHash: readBytes(fields[10], 'recipients hash', HASH_BYTES),
    reason: readReason(fields[11]),
    closing: readClosing(fields[12]),
    author: deviceId(readBytes(fields[13], 'author', 32)),
    createdMs: readUint(fields[14], 'creation time'),
    bytes,
    signature,
    hash: labelledHash(primitives, 'epochStatement', bytes),
  };
  checkCoherent(statement);
  return statement;
}

function readCheckpoint(fields: readonly CborValue[]): Checkpoint {
  return { size: readUint(fields[0], 'log size'), root: readBytes(fields[1], 'log root', HASH_BYTES) };
}

function readReason(value: CborValue | undefined): EpochReason {
  return REASONS[readUint(value, 'reason', REASONS.length - 1)] as EpochReason;
}

function readClosing(value: CborValue | undefined): Closing {
  const fields = readArray(value, 'closing', 3);
  let previous: Uint8Array | null = null;
  const senders = readArray(fields[2], 'closing senders').map((item) => {
    const sender = readArray(item, 'closing sender', 3);
    const id = readBytes(sender[0], 'closing device', 32);
    if (previous !== null && compareBytes(previous, id) >= 0)
      throw new CryptoError('malformed', 'closing senders are not sorted and unique');
    previous = id;
    return {
      device: deviceId(id),
      counter: readUint(sender[1], 'closing counter'),
      link: readBytes(sender[2], 'closing link', HASH_BYTES),
    };
  });
  return { group: readCheckpoint(fields), senders };
}

function checkCoherent(statement: EpochStatementFields): void {
  const { epoch, reason, previousHash, closing } = statement;
  if (epoch < 1) throw new CryptoError('malformed', 'epochs count from 1');
  if (statement.blockEndMs <= statement.blockStartMs)
    throw new CryptoError('malformed', 'a block ends before it starts');
  const first = epoch === 1;
  const saysFirst = reason === 'first';
  const noPrevious = previousHash.every((byte) => byte === 0);
  if (first !== saysFirst || first !== noPrevious || (first && closing.senders.length > 0))
    throw new CryptoError('malformed', 'the first epoch, and only the first, has nothing before it');
}
