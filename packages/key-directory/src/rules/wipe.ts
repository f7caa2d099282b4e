import type { WipeTarget } from '../entry-body.ts';
import { DirectoryError } from '../errors.ts';
import type { Device, DirectoryFacts, Member } from '../state.ts';
import type { Change } from './change.ts';
import { requireAdmin, requireAdminOrSelf, type Author, type EntryOf } from './standing.ts';

/**
 * `wipe`: devices are to destroy all they hold, and are revoked with it; whose they were stays a member. Also
 * devices that were revoked before, and those of former members: they may still be in somebody's pocket.
 * @throws DirectoryError `not-permitted`, `unknown-device`, `unknown-member`, `unchanged`
 */
export function wipeRule(facts: DirectoryFacts, entry: EntryOf<'wipe'>, author: Author): Change {
  const wiped = targets(facts, entry.body.target, author).filter(({ wipedAt }) => wipedAt === null);
  if (wiped.length === 0) throw new DirectoryError('unchanged', 'nothing is left to wipe');
  const ids = new Set(wiped.map(({ id }) => id));
  const owners = new Set(wiped.map(({ member }) => facts.members.get(member) as Member));
  return {
    members: [...owners].map((member) => ({
      ...member,
      activeDevices: member.activeDevices.filter((id) => !ids.has(id)),
    })),
    devices: wiped.map((device) => ({
      ...device,
      revokedAt: device.revokedAt ?? entry.index,
      wipedAt: entry.index,
    })),
  };
}

function targets(facts: DirectoryFacts, target: WipeTarget, author: Author): Device[] {
  const all = (): Device[] => facts.devices.values();
  switch (target.of) {
    case 'device': {
      const device = facts.devices.get(target.device);
      if (device === undefined) throw new DirectoryError('unknown-device', 'never a device');
      requireAdminOrSelf(author, device.member);
      return [device];
    }
    case 'member':
      if (!facts.members.has(target.member)) throw new DirectoryError('unknown-member', 'never a member');
      requireAdminOrSelf(author, target.member);
      return all().filter(({ member }) => member === target.member);
    case 'everyone-but-admins':
      requireAdmin(author);
      return all().filter(({ member }) => {
        const owner = facts.members.get(member) as Member;
        return owner.role !== 'admin' || owner.removedAt !== null;
      });
  }
}
