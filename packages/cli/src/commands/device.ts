import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { nameOf } from '../describe-act.ts';
import { untilOnline, withDevice } from '../device.ts';
import { findDevice, findMember } from '../find.ts';
import { shareLink, type ShareOptions } from '../share-link.ts';
import { formatTable } from '../table.ts';

/** `keytide device invite`: a link for another device of one's own, or of `--member`. */
export async function inviteDevice(
  context: Context,
  options: ShareOptions & { member?: string },
): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const member = options.member === undefined ? client.member : findMember(client, options.member).id;
    await shareLink(context, client, { in: 'device', member }, options);
  });
}

/** `keytide device list`: one's own devices, or those of `name`, with those that were ended. */
export async function listDevices(
  context: Context,
  name: string | undefined,
  options: { offline?: true },
): Promise<void> {
  await withDevice(context, async (client) => {
    if (!options.offline) await untilOnline(context, client);
    const member = name === undefined ? client.member : findMember(client, name).id;
    const devices = client.devices().filter((device) => device.member === member);
    const rows = devices.map(({ id, state, self }) => [id, state, self ? 'this device' : '']);
    context.output.result({ devices }, formatTable(COLUMNS, rows));
  });
}

/** `keytide device revoke`: ends a device for good. */
export async function revokeDevice(context: Context, start: string, options: { yes?: true }): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const { id, member } = findDevice(client, start);
    const owner = nameOf(client, member);
    if (!options.yes) await confirm(context, `End the device ${id} of ${owner}, for good?`);
    await client.revokeDevice(id);
    context.output.result({ revoked: id, member }, [`ended a device of ${owner}: ${id}`]);
    context.output.note('A new device of the same person: `keytide device invite`.');
  });
}

const COLUMNS = [
  { heading: 'DEVICE', maxWidth: 64 },
  { heading: 'STATE', maxWidth: 16 },
  { heading: '', maxWidth: 16 },
];
