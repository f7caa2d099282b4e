import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { noteEarlier } from '../earlier.ts';
import type { HelpRequest } from '../organisation.ts';
import { formatTable } from '../table.ts';

/** `keytide requests list`: all requests as they stand, by id. */
export async function listRequests(context: Context, options: { offline?: true }): Promise<void> {
  await withDevice(context, async (client) => {
    if (!options.offline) await untilOnline(context, client);
    const records = client.collections.requests.list();
    const requests = records.map(({ id, body, pending }) => ({
      id,
      ...inOrder(body),
      ...(pending ? { pending } : {}),
    }));
    const rows = requests.map((request) => [
      request.id.slice(0, SHORT_ID),
      request.status,
      request.reportedAt,
      request.township,
      request.title,
      request.address,
      request.note ?? '',
    ]);
    const lines = requests.length === 0 ? ['no requests yet'] : formatTable(COLUMNS, rows);
    context.output.result({ requests }, lines);
    notePending(
      context,
      requests.filter(({ pending }) => pending),
    );
    noteEarlier(context, client);
  });
}

/** What nobody else can see yet should not look sent. */
function notePending({ output }: Context, { length }: readonly unknown[]): void {
  if (length === 0) return;
  const changes = length === 1 ? 'Changes of 1 request wait' : `Changes of ${length} requests wait`;
  output.note(`${changes} on this device: nobody else sees them yet. \`keytide status\` sends them.`);
}

/** Equal requests print equally, whatever was edited last. */
function inOrder({ lat, lng, title, reportedAt, township, address, status, note }: HelpRequest): HelpRequest {
  return { lat, lng, title, reportedAt, township, address, status, ...(note === undefined ? {} : { note }) };
}

const SHORT_ID = 8;
const COLUMNS = [
  { heading: 'ID', maxWidth: SHORT_ID },
  { heading: 'STATUS', maxWidth: 8 },
  { heading: 'REPORTED', maxWidth: 16 },
  { heading: 'TOWNSHIP', maxWidth: 18 },
  { heading: 'TITLE', maxWidth: 32 },
  { heading: 'ADDRESS', maxWidth: 40 },
  { heading: 'NOTE', maxWidth: 40 },
];
