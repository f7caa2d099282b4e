import { assertHandle } from '../handle.ts';
import type { Change } from './change.ts';
import type { NewDevice } from './new-device.ts';
import type { EntryOf } from './standing.ts';

/** `genesis`: the first member is an admin, the first device theirs. @throws DirectoryError `bad-handle` */
export function genesisRule(entry: EntryOf<'genesis'>, { device }: NewDevice): Change {
  const { member, handle, policy } = entry.body;
  assertHandle(handle);
  return {
    policy,
    members: [
      {
        id: member,
        handle,
        role: 'admin',
        roleSince: entry.index,
        addedAt: entry.index,
        removedAt: null,
        activeDevices: [device.id],
      },
    ],
    devices: [{ ...device, member, addedAt: entry.index }],
  };
}
