import { equalBytes } from './bytes.ts';
import type { EpochStatement } from './epoch-statement.ts';
import { CryptoError } from './errors.ts';
import { deviceIdOf, type GroupId, type OrgId } from './ids.ts';
import type { Primitives, Verifier } from './primitives.ts';
import { recipientsHash, requireRecipient, type Recipient } from './recipients.ts';
import { verifyBytes } from './sign.ts';

/** What epoch 1 carries in place of the hash of a statement before it. */
export const NO_PREVIOUS_HASH: Uint8Array = new Uint8Array(32);

/** The epoch before: its number and the hash of its statement (32 bytes). */
export interface PreviousEpoch {
  readonly epoch: number;
  readonly hash: Uint8Array;
}

/** What the verifier knows for itself, from its own copy of the membership log and its own history. */
export interface EpochExpectation {
  readonly org: OrgId;
  readonly group: GroupId;
  /** With the time of its statement; `null`: the statement must be that of epoch 1. */
  readonly previous: (PreviousEpoch & Pick<EpochStatement, 'createdMs'>) | null;
  /** The signing key of the device that the statement names as its author. */
  readonly authorVerifier: Verifier;
  /** How long a block lasts by the organisation's policy; blocks start at multiples of it since 1970. */
  readonly blockMs: number;
  /** The set computed from the log at the statement's checkpoint, the archive in it where the policy has one; any order. */
  readonly recipients: readonly Recipient[];
}

/**
 * Checks everything about a statement that can be checked without its key. Whether the author held the
 * right to start an epoch is for the caller, who has the log.
 * @throws CryptoError `wrong-context` (organisation, group, author, not the epoch after `previous`, made before it,
 * or not a block of the policy),
 * `bad-signature`, `recipients-mismatch` (one missing or one too many), `not-a-recipient` (the author)
 */
export function verifyEpochStatement(
  primitives: Primitives,
  statement: EpochStatement,
  expected: EpochExpectation,
): void {
  const { authorVerifier, previous } = expected;
  if (statement.org !== expected.org || statement.group !== expected.group)
    throw new CryptoError('wrong-context', 'a statement of another organisation or group');
  if (statement.author !== deviceIdOf(primitives, authorVerifier.publicKey))
    throw new CryptoError('wrong-context', 'a statement of another author');
  verifyBytes(primitives, authorVerifier, 'epochStatementSignature', statement.bytes, statement.signature);
  if (
    statement.epoch !== (previous?.epoch ?? 0) + 1 ||
    !equalBytes(statement.previousHash, previous?.hash ?? NO_PREVIOUS_HASH)
  )
    throw new CryptoError('wrong-context', 'not the epoch that follows the one before');
  const { blockStartMs, blockEndMs, createdMs } = statement;
  // Keys are chosen, and deleted, by these times: an epoch in the past would be one that nobody can open.
  if (createdMs < (previous?.createdMs ?? 0))
    throw new CryptoError('wrong-context', 'made before the epoch before it');
  const isBlock = blockEndMs - blockStartMs === expected.blockMs && blockStartMs % expected.blockMs === 0;
  if (!isBlock || createdMs < blockStartMs || createdMs >= blockEndMs)
    throw new CryptoError('wrong-context', 'not the block of the policy in which it was made');
  if (!equalBytes(statement.recipientsHash, recipientsHash(primitives, expected.recipients)))
    throw new CryptoError('recipients-mismatch', 'not the recipients that the membership log names');
  requireRecipient(expected.recipients, statement.author);
}
