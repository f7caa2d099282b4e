import { ClientError } from '@keytide/client';
import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { decide, type ProposeOption } from '../decide.ts';
import { untilOnline, withDevice } from '../device.ts';
import { findMember } from '../find.ts';

/** `keytide remove`: takes a member and all their devices out of the organisation, for good. */
export async function removeMember(
  context: Context,
  name: string,
  options: ProposeOption & { yes?: true },
): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client).catch(unlessStopped);
    const { id, handle, devices } = findMember(client, name);
    if (!options.yes && options.propose === undefined)
      await confirm(context, `Remove ${handle} and all their devices (${devices.length}), for good?`);
    if (!(await decide(context, client, { kind: 'remove-member', member: id }, options))) return;
    context.output.result({ removed: id, handle, devices }, [
      `removed ${handle}, devices: ${devices.length}`,
    ]);
    context.output.note('They cannot read what is written from now on; what they have read they may keep.');
  });
}

/** A false claim of a member stops this device, and removing that member is the way out. */
function unlessStopped(error: unknown): void {
  if (!(error instanceof ClientError && error.code === 'relay-forked')) throw error;
}
