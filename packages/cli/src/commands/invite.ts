import type { ROLES } from '../choices.ts';
import type { Context } from '../context.ts';
import { nameOf } from '../describe-act.ts';
import { untilOnline, withDevice } from '../device.ts';
import { findInvite } from '../find.ts';
import { shareLink, type ShareOptions } from '../share-link.ts';
import { formatTable } from '../table.ts';
import { clockTime } from '../timestamps.ts';

/** `keytide invite`: a link for one person. */
export async function invite(
  context: Context,
  options: ShareOptions & { role: (typeof ROLES)[number] },
): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    await shareLink(context, client, { in: 'member', role: options.role }, options);
  });
}

/** `keytide invite list`: the invites that nobody has used. */
export async function listInvites(context: Context): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const invites = client.invites();
    const rows = invites.map(({ id, lets, expiresMs, expired }) => [
      id,
      lets.in === 'member' ? `a new ${lets.role}` : `a device of ${nameOf(client, lets.member)}`,
      expired ? 'expired' : clockTime(expiresMs, Date.now()),
    ]);
    context.output.result({ invites }, formatTable(COLUMNS, rows));
  });
}

/** `keytide invite revoke`: takes an invite back. */
export async function revokeInvite(context: Context, start: string): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const { id } = findInvite(client, start);
    await client.revokeInvite(id);
    context.output.result({ revoked: id }, [`taken back: ${id}`]);
  });
}

const COLUMNS = [
  { heading: 'INVITE', maxWidth: 64 },
  { heading: 'LETS IN', maxWidth: 80 },
  { heading: 'UNTIL', maxWidth: 20 },
];
