import type { MemberView } from '@keytide/client';
import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { displayName } from '../names.ts';
import { formatTable } from '../table.ts';

/** `keytide members`: who is in the organisation, by this device's own verified copy of the log. */
export async function listMembers(context: Context, options: { offline?: true }): Promise<void> {
  await withDevice(context, async (client) => {
    if (!options.offline) await untilOnline(context, client);
    const members = client.members().toSorted((a, b) => (a.handle < b.handle ? -1 : 1));
    const rows = members.flatMap((member) =>
      member.devices.map((device) => [
        displayName(member, members),
        member.role,
        device,
        remark(client.device, member, device),
      ]),
    );
    context.output.result({ members }, formatTable(COLUMNS, rows));
  });
}

function remark(own: string, { changed }: MemberView, device: string): string {
  if (changed) return device === own ? 'this device; others came' : 'changed';
  return device === own ? 'this device' : '';
}

const COLUMNS = [
  { heading: 'NAME', maxWidth: 72 },
  { heading: 'ROLE', maxWidth: 16 },
  { heading: 'DEVICE', maxWidth: 64 },
  { heading: '', maxWidth: 32 },
];
