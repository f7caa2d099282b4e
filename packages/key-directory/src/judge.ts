import { verifyBytes, type Primitives, type Verifier } from '@keytide/crypto-core';
import type { Entry } from './entry.ts';
import { DirectoryError, inDirectoryTerms } from './errors.ts';
import { actingAdminsAfter, type Change } from './rules/change.ts';
import { addDeviceRule, revokeDeviceRule } from './rules/device.ts';
import { genesisRule } from './rules/genesis.ts';
import { inviteRule, revokeInviteRule } from './rules/invite.ts';
import { joinRule } from './rules/join.ts';
import { removeMemberRule, roleRule } from './rules/member.ts';
import { readNewDevice, type NewDevice } from './rules/new-device.ts';
import type { Author, EntryOf } from './rules/standing.ts';
import type { DirectoryFacts, Member } from './state.ts';

/**
 * Decides about one entry by what the log says before it, and answers what it changes. Looks only, writes
 * nothing. `facts` is `null` before the genesis.
 * @throws DirectoryError with the rule's code and the entry's wire as evidence
 */
export function judge(primitives: Primitives, facts: DirectoryFacts | null, entry: Entry): Change {
  try {
    return inDirectoryTerms(() => {
      const change = changeOf(primitives, facts, entry);
      if (actingAdminsAfter(facts, change) === 0)
        throw new DirectoryError('last-admin', 'no admin with an active device would be left');
      return change;
    });
  } catch (cause) {
    if (!(cause instanceof DirectoryError)) throw cause;
    const message = `entry ${entry.index}: ${cause.message}`;
    throw new DirectoryError(cause.code, message, { cause, evidence: [entry.wire] });
  }
}

function changeOf(primitives: Primitives, facts: DirectoryFacts | null, entry: Entry): Change {
  // No act of this version needs approvals; letting them pass would let the relay vary an entry's bytes.
  if (entry.approvals.length > 0)
    throw new DirectoryError('unsupported-version', 'approvals are not known to this build');
  if (facts === null) {
    if (!isOf(entry, 'genesis')) throw wrongPredecessor();
    return genesisRule(entry, signedByItself(primitives, entry));
  }
  requireContinues(facts, entry);
  if (isOf(entry, 'join')) return joinRule(primitives, facts, entry, signedByItself(primitives, entry));
  return changeByAuthor(primitives, facts, entry, signedByActive(primitives, facts, entry));
}

function changeByAuthor(primitives: Primitives, facts: DirectoryFacts, entry: Entry, author: Author): Change {
  if (isOf(entry, 'invite')) return inviteRule(primitives, facts, entry, author);
  if (isOf(entry, 'revoke-invite')) return revokeInviteRule(facts, entry, author);
  if (isOf(entry, 'add-device')) return addDeviceRule(primitives, facts, entry, author);
  if (isOf(entry, 'revoke-device')) return revokeDeviceRule(facts, entry, author);
  if (isOf(entry, 'remove-member')) return removeMemberRule(facts, entry, author);
  if (isOf(entry, 'role')) return roleRule(facts, entry, author);
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

/** The author of a genesis or a join is the device it brings. */
function signedByItself(primitives: Primitives, entry: EntryOf<'genesis' | 'join'>): NewDevice {
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

function requireSigned(primitives: Primitives, verifier: Verifier, entry: Entry): void {
  verifyBytes(primitives, verifier, 'entrySignature', entry.bytes, entry.signature);
}

function isOf<K extends Entry['body']['kind']>(entry: Entry, kind: K): entry is EntryOf<K> {
  return entry.body.kind === kind;
}

function wrongPredecessor(): DirectoryError {
  return new DirectoryError('wrong-predecessor', 'does not continue the head of the log');
}
