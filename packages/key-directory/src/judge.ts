import { deviceIdOf, verifyBytes, type Primitives, type Verifier } from '@keytide/crypto-core';
import { approvalsNeeded, requireApprovals } from './approvals.ts';
import type { Entry } from './entry.ts';
import { DirectoryError, inDirectoryTerms } from './errors.ts';
import { aggregatesRule } from './rules/aggregates.ts';
import { actingAdminsAfter, type Change } from './rules/change.ts';
import { addDeviceRule, revokeDeviceRule } from './rules/device.ts';
import { deletionReceiptRule } from './rules/deletion-receipt.ts';
import { genesisRule } from './rules/genesis.ts';
import { grantRule } from './rules/grant.ts';
import { inviteDeviceRule, inviteRule, revokeInviteRule } from './rules/invite.ts';
import { joinRule } from './rules/join.ts';
import { removeMemberRule, roleRule } from './rules/member.ts';
import { policyRule } from './rules/policy.ts';
import { recoveryRule } from './rules/recovery.ts';
import { readNewDevice, type NewDevice } from './rules/new-device.ts';
import type { Author, EntryOf } from './rules/standing.ts';
import { wipeRule } from './rules/wipe.ts';
import type { DirectoryFacts, Member } from './state.ts';

/**
 * Decides about one entry by what the log says before it, and answers what it changes. Looks only, writes
 * nothing. `facts` is `null` before the genesis.
 * @throws DirectoryError with the rule's code and the entry's wire as evidence
 */
export function judge(primitives: Primitives, facts: DirectoryFacts | null, entry: Entry): Change {
  return inTermsOf(entry, () => {
    const { change, author } = consider(primitives, facts, entry);
    requireApprovals(primitives, facts, entry, author);
    return change;
  });
}

/**
 * Decides about an entry that may still lack approvals of other admins, and answers how many of them it takes.
 * @throws DirectoryError as `judge`, but for `approval-needed`
 */
export function judgeProposal(primitives: Primitives, facts: DirectoryFacts, entry: Entry): number {
  return inTermsOf(entry, () => {
    const { author } = consider(primitives, facts, entry);
    return author === null ? 0 : approvalsNeeded(facts, entry, author);
  });
}

/** What an entry changes, and who did it; `null` where nobody who was there before did. */
interface Considered {
  readonly change: Change;
  readonly author: Author | null;
}

function consider(primitives: Primitives, facts: DirectoryFacts | null, entry: Entry): Considered {
  const considered = changeOf(primitives, facts, entry);
  if (actingAdminsAfter(facts, considered.change).length === 0)
    throw new DirectoryError('last-admin', 'no admin with an active device would be left');
  return considered;
}

function inTermsOf<T>(entry: Entry, work: () => T): T {
  try {
    return inDirectoryTerms(work);
  } catch (cause) {
    if (!(cause instanceof DirectoryError)) throw cause;
    const message = `entry ${entry.index}: ${cause.message}`;
    throw new DirectoryError(cause.code, message, { cause, evidence: [entry.wire] });
  }
}

function changeOf(primitives: Primitives, facts: DirectoryFacts | null, entry: Entry): Considered {
  if (facts === null) {
    if (!isOf(entry, 'genesis')) throw wrongPredecessor();
    return { change: genesisRule(primitives, entry, signedByItself(primitives, entry)), author: null };
  }
  requireContinues(facts, entry);
  if (isOf(entry, 'join'))
    return { change: joinRule(primitives, facts, entry, signedByItself(primitives, entry)), author: null };
  if (isOf(entry, 'add-device'))
    return {
      change: addDeviceRule(primitives, facts, entry, signedByItself(primitives, entry)),
      author: null,
    };
  if (isOf(entry, 'recovery'))
    return {
      change: recoveryRule(primitives, facts, entry, signedByItself(primitives, entry)),
      author: null,
    };
  if (isOf(entry, 'deletion-receipt')) {
    requireSignedByRelay(primitives, facts, entry);
    return { change: deletionReceiptRule(facts, entry), author: null };
  }
  const author = signedByActive(primitives, facts, entry);
  return { change: changeByAuthor(primitives, facts, entry, author), author };
}

function changeByAuthor(primitives: Primitives, facts: DirectoryFacts, entry: Entry, author: Author): Change {
  if (isOf(entry, 'invite')) return inviteRule(primitives, facts, entry, author);
  if (isOf(entry, 'revoke-invite')) return revokeInviteRule(facts, entry, author);
  if (isOf(entry, 'invite-device')) return inviteDeviceRule(primitives, facts, entry, author);
  if (isOf(entry, 'revoke-device')) return revokeDeviceRule(facts, entry, author);
  if (isOf(entry, 'remove-member')) return removeMemberRule(facts, entry, author);
  if (isOf(entry, 'role')) return roleRule(facts, entry, author);
  if (isOf(entry, 'policy')) return policyRule(primitives, facts, entry, author);
  if (isOf(entry, 'wipe')) return wipeRule(facts, entry, author);
  if (isOf(entry, 'grant')) return grantRule(facts, entry, author);
  if (isOf(entry, 'aggregates')) return aggregatesRule(facts, entry, author);
  throw wrongPredecessor();
}

function requireContinues(facts: DirectoryFacts, entry: Entry): void {
  if (entry.org === null) throw wrongPredecessor();
  if (entry.org !== facts.org)
    throw new DirectoryError('wrong-organisation', 'an entry of another organisation');
  if (entry.index !== facts.size || entry.previousHash !== facts.headHash) throw wrongPredecessor();
  if (entry.timeMs < facts.timeMs)
    throw new DirectoryError('time-went-back', 'dated before the entry it follows');
}

/** The author of a genesis, a join, an add-device or a recovery is the device it brings. */
function signedByItself(
  primitives: Primitives,
  entry: EntryOf<'genesis' | 'join' | 'add-device' | 'recovery'>,
): NewDevice {
  const newDevice = readNewDevice(primitives, entry.body, entry.timeMs);
  if (newDevice.device.id !== entry.author)
    throw new DirectoryError('unknown-author', 'signed by another device than the one it brings');
  requireSigned(primitives, newDevice.verifier, entry);
  return newDevice;
}

function signedByActive(primitives: Primitives, facts: DirectoryFacts, entry: Entry): Author {
  const device = facts.devices.get(entry.author);
  if (device === undefined) throw new DirectoryError('unknown-author', 'signed by a device not in the log');
  if (device.revokedAt !== null)
    throw new DirectoryError('author-not-active', 'signed by a device that was revoked or removed');
  requireSigned(primitives, primitives.verifier(device.signingPublicKey), entry);
  return { device, member: facts.members.get(device.member) as Member };
}

function requireSignedByRelay(primitives: Primitives, facts: DirectoryFacts, entry: Entry): void {
  const { relayKey } = facts.policy;
  if (relayKey === undefined || deviceIdOf(primitives, relayKey) !== entry.author)
    throw new DirectoryError('unknown-author', 'not signed by the key that the policy names for the relay');
  requireSigned(primitives, primitives.verifier(relayKey), entry);
}

function requireSigned(primitives: Primitives, verifier: Verifier, entry: Entry): void {
  verifyBytes(primitives, verifier, 'entrySignature', entry.bytes, entry.signature);
}

function isOf<K extends Entry['body']['kind']>(entry: Entry, kind: K): entry is EntryOf<K> {
  return entry.body.kind === kind;
}

function wrongPredecessor(): DirectoryError {
  return new DirectoryError('wrong-predecessor', 'does not continue the head of the log');
}
