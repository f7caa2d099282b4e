import type { Role } from '@keytide/key-directory';
import type { Context } from '../context.ts';
import { decide, type ProposeOption } from '../decide.ts';
import { untilOnline, withDevice } from '../device.ts';
import { findMember } from '../find.ts';

/** `keytide role`: another role for a member. */
export async function changeRole(
  context: Context,
  name: string,
  role: Role,
  options: ProposeOption,
): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const { id: member } = findMember(client, name);
    if (!(await decide(context, client, { kind: 'role', member, role }, options))) return;
    context.output.result({ member, role }, [`${name} is now ${role}`]);
  });
}
