import {
  CryptoError,
  equalBytes,
  parseEnvelopeHeader,
  parseEpochStatement,
  verifyEpochStatement,
  type DeviceId,
  type EpochStatement,
  type GroupId,
  type Primitives,
} from '@keytide/crypto-core';
import {
  epochRecipientsOf,
  MAX_AHEAD_MS,
  recipientsOf,
  type DirectoryState,
} from '@keytide/key-directory/verify';
import type { AddressedBox, AppendItem } from '@keytide/relay-protocol';
import { RelayError } from './errors.ts';

/**
 * What a relay can check of envelopes without a key: their headers. Answers the epoch of each.
 * @throws RelayError `malformed`, `too-large`, `unsupported-version`, `wrong-group`
 */
export function checkEnvelopes(group: GroupId, items: readonly AppendItem[]): number[] {
  return items.map(({ envelope }) => {
    const header = inRelayTerms(() => parseEnvelopeHeader(envelope));
    if (header.group !== group) throw new RelayError('wrong-group', 'an envelope of another group');
    return header.epoch;
  });
}

/** A statement that a device hands in, with its boxes. */
export interface HandedIn {
  readonly group: GroupId;
  readonly statement: Uint8Array;
  readonly boxes: readonly AddressedBox[];
}

/**
 * Checks that a statement is of this group and of the device that hands it in.
 * @throws RelayError `malformed`, `too-large`, `unsupported-version`, `wrong-group`, `wrong-author`
 */
export function readAnnouncement(
  primitives: Primitives,
  state: DirectoryState,
  author: DeviceId,
  handedIn: HandedIn,
): EpochStatement {
  const statement = inRelayTerms(() => parseEpochStatement(primitives, handedIn.statement));
  if (statement.org !== state.org || statement.group !== handedIn.group)
    throw new RelayError('wrong-group', 'a statement of another group');
  if (statement.author !== author) throw new RelayError('wrong-author', 'a statement of another device');
  return statement;
}

/** What a statement is measured by. */
export interface Standing {
  readonly state: DirectoryState;
  readonly nowMs: number;
  /** Recipients who are known to have no key to seal to. */
  readonly silent: ReadonlySet<DeviceId>;
}

/**
 * Refuses a statement that every receiver would refuse: stored, it would take the epoch's number and leave
 * the group without a key for good. It must rest on the relay's newest membership log and sealing records, and
 * have one box for each recipient who has a key to seal to, the archive among them.
 * @param previousWire the statement of the epoch before, `null` for the first
 * @throws RelayError `stale-directory`, `statement-refused`, `not-a-recipient`, `malformed`
 */
export function checkStatement(
  primitives: Primitives,
  { state, nowMs, silent }: Standing,
  statement: EpochStatement,
  { group, boxes }: HandedIn,
  previousWire: Uint8Array | null,
): void {
  const { size, root } = statement.checkpoint;
  if (size !== state.size || !equalBytes(root, state.root))
    throw new RelayError('stale-directory', 'the statement rests on another membership log than the newest');
  const previous = previousWire === null ? null : parseEpochStatement(primitives, previousWire);
  const author = recipientsOf(state, group).find(({ device }) => device === statement.author);
  const recipients = epochRecipientsOf(primitives, state, group);
  const latestMs = Math.max(nowMs + MAX_AHEAD_MS, state.timeMs, previous?.createdMs ?? 0);
  try {
    if (author === undefined || statement.createdMs > latestMs)
      throw new CryptoError('wrong-context', 'not a recipient, or dated in the future');
    verifyEpochStatement(primitives, statement, {
      org: state.org,
      group,
      previous,
      blockMs: state.policy.blockSeconds * 1000,
      authorVerifier: primitives.verifier(author.signingPublicKey),
      recipients,
    });
  } catch (cause) {
    throw new RelayError('statement-refused', 'a statement that every receiver would refuse', { cause });
  }
  const boxed = new Set(boxes.map(({ device }) => device));
  const expected = new Set(recipients.map(({ device }) => device));
  if (boxes.some(({ device }) => !expected.has(device)))
    throw new RelayError('not-a-recipient', 'a box for who is not a recipient');
  if (boxed.size !== boxes.length) throw new RelayError('malformed', 'two boxes for one recipient');
  for (const device of expected) {
    if (!boxed.has(device) && !silent.has(device))
      throw new RelayError('stale-directory', 'no box for a recipient who has a key to seal to');
  }
}

function inRelayTerms<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause;
    const known = cause.code === 'too-large' || cause.code === 'unsupported-version';
    throw new RelayError(known ? cause.code : 'malformed', 'not what the specification says', { cause });
  }
}
