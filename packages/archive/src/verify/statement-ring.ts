import {
  CryptoError,
  equalBytes,
  parseEpochStatement,
  verifyBytes,
  verifyEpochStatement,
  type DeviceId,
  type EpochStatement,
  type GroupId,
  type PreviousEpoch,
  type Primitives,
  type Verifier,
} from '@keytide/crypto-core';
import {
  epochRecipientsOf,
  isActive,
  recipientsOf,
  type DirectoryState,
  type GroupDevice,
} from '@keytide/key-directory';
import type { FindingCode } from './finding.ts';

/** An epoch whose statement counts. */
export interface RingEpoch {
  readonly statement: EpochStatement;
  /** The membership log at its checkpoint. */
  readonly state: DirectoryState;
}

/** Why a statement does not count, as a finding. */
export interface StatementRefusal {
  readonly code: Extract<FindingCode, 'statement-refused' | 'membership-cut' | 'membership-fork'>;
  readonly detail: string;
}

/**
 * The epochs of a group, one after the other, by the rules that devices follow (docs/spec/epoch-statement.md): each
 * names the one before, is signed by a member device, and is for exactly the devices of the membership log at its
 * checkpoint.
 */
export interface StatementRing {
  /** The newest that counts. */
  readonly current: RingEpoch | null;
  /** The newest statement before what is here: it follows what is not here. */
  begin(wire: Uint8Array): RingEpoch | StatementRefusal;
  /** The next statement of the log. */
  take(wire: Uint8Array): RingEpoch | StatementRefusal;
  /** Those to whom an epoch's key went, and with what they sign. */
  devicesOf(epoch: Pick<RingEpoch, 'state'>): { readonly device: DeviceId; readonly verifier: Verifier }[];
}

/** The ring of a group that has no epoch yet; `states` are those of the membership log, one for each entry. */
export function statementRing(
  primitives: Primitives,
  states: readonly DirectoryState[],
  group: GroupId,
): StatementRing {
  const verifiers = new Map<DeviceId, Verifier>();
  let current: RingEpoch | null = null;
  let recipients: { readonly size: number; readonly list: readonly GroupDevice[] } | null = null;
  const newest = states.at(-1);

  function recipientsAt(state: DirectoryState): readonly GroupDevice[] {
    if (recipients?.size !== state.size) recipients = { size: state.size, list: recipientsOf(state, group) };
    return recipients.list;
  }

  function verifierOf({ device, signingPublicKey }: GroupDevice): Verifier {
    const verifier = verifiers.get(device) ?? primitives.verifier(signingPublicKey);
    verifiers.set(device, verifier);
    return verifier;
  }

  function verified(
    statement: EpochStatement,
    previous: (PreviousEpoch & Pick<EpochStatement, 'createdMs'>) | null,
  ): RingEpoch | StatementRefusal {
    const { org, checkpoint, author } = statement;
    if (newest === undefined || org !== newest.org || statement.group !== group)
      return refused('wrong-context');
    if (checkpoint.size < (current?.statement.checkpoint.size ?? 1)) return refused('wrong-context');
    const key = newest.devices.get(author)?.signingPublicKey;
    if (key === undefined) return refused('not-a-recipient');
    // Before what it says of the membership log is held against the archive.
    const verifier = primitives.verifier(key);
    verifyBytes(primitives, verifier, 'epochStatementSignature', statement.bytes, statement.signature);
    const state = states[checkpoint.size - 1];
    if (state === undefined || !equalBytes(state.root, checkpoint.root)) {
      if (!isActive(newest, author)) return refused('not-a-recipient');
      const code = state === undefined ? 'membership-cut' : 'membership-fork';
      return { code, detail: String(checkpoint.size) };
    }
    const list = recipientsAt(state);
    const device = list.find((recipient) => recipient.device === author);
    if (device === undefined) return refused('not-a-recipient');
    verifyEpochStatement(primitives, statement, {
      ...{ org, group, previous, authorVerifier: verifierOf(device) },
      recipients: epochRecipientsOf(primitives, state, group),
      blockMs: state.policy.blockSeconds * 1000,
    });
    current = { statement, state };
    return current;
  }

  function judged(
    wire: Uint8Array,
    previousOf: (statement: EpochStatement) => (PreviousEpoch & Pick<EpochStatement, 'createdMs'>) | null,
  ): RingEpoch | StatementRefusal {
    try {
      const statement = parseEpochStatement(primitives, wire);
      return verified(statement, previousOf(statement));
    } catch (error) {
      if (error instanceof CryptoError) return refused(error.code);
      throw error;
    }
  }

  return {
    get current() {
      return current;
    },
    begin: (wire) =>
      judged(wire, ({ epoch, previousHash }) =>
        epoch === 1 ? null : { epoch: epoch - 1, hash: previousHash, createdMs: 0 },
      ),
    take: (wire) => judged(wire, () => current?.statement ?? null),
    devicesOf: ({ state }) =>
      recipientsOf(state, group).map((recipient) => {
        return { device: recipient.device, verifier: verifierOf(recipient) };
      }),
  };
}

/** Whether a statement was refused. */
export function isRefusal(result: RingEpoch | StatementRefusal): result is StatementRefusal {
  return 'code' in result;
}

function refused(detail: string): StatementRefusal {
  return { code: 'statement-refused', detail };
}
