import type { WipeReceiptView } from '@keytide/client';
import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { displayName } from '../names.ts';
import { formatTable } from '../table.ts';
import { dateTime, isoTime } from '../timestamps.ts';

/** `keytide wipe status`: every device that was told to destroy what it holds, and which of them say that they have. */
export async function wipeStatus(context: Context): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const receipts = new Map((await client.receipts()).map((receipt) => [receipt.device, receipt]));
    const members = client.members();
    const wiped = client.devices().filter(({ state }) => state === 'wiped');
    const devices = wiped.map(({ id, member }) => ({ id, member, ...said(receipts.get(id)) }));
    const rows = devices.map(({ id, member, destroyedMs }) => {
      const owner = members.find((other) => other.id === member);
      const name = owner === undefined ? `${member.slice(0, 6)} (gone)` : displayName(owner, members);
      return [id, name, destroyedMs === null ? 'nothing heard' : `destroyed ${dateTime(destroyedMs)}`];
    });
    context.output.result({ devices }, formatTable(COLUMNS, rows));
  });
}

function said(receipt: WipeReceiptView | undefined): {
  destroyedMs: number | null;
  destroyedAt: string | null;
} {
  if (receipt === undefined) return { destroyedMs: null, destroyedAt: null };
  return { destroyedMs: receipt.destroyedMs, destroyedAt: isoTime(receipt.destroyedMs) };
}

const COLUMNS = [
  { heading: 'DEVICE', maxWidth: 64 },
  { heading: 'MEMBER', maxWidth: 72 },
  { heading: 'RECEIPT', maxWidth: 32 },
];
