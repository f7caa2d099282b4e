import type { Context } from '../context.ts';
import { untilOnline, untilSettled, withDevice } from '../device.ts';
import type { Keytide } from '../organisation.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { requestSchema, type HelpRequest } from '../organisation.ts';
import { coordinate } from '../requests-csv.ts';
import { readStdinText } from '../stdin-text.ts';
import { usageError } from '../usage.ts';

const MAX_CHANGES_BYTES = 64 * 1024;

/** `keytide requests edit`: changes fields of one request. */
export async function editRequest(
  context: Context,
  idStart: string,
  assignments: readonly string[],
): Promise<void> {
  const given = assignments.length === 1 && assignments[0] === '-' ? null : parseAssignments(assignments);
  await withDevice(context, async (client) => {
    const changes = given ?? parseAssignments((await readStdinText(MAX_CHANGES_BYTES)).split(/\r?\n/));
    await untilOnline(context, client);
    const id = findRequest(client, idStart);
    await client.collections.requests.edit(id, changes);
    await untilSettled(context, client);
    const fields = Object.keys(changes);
    context.output.result({ id, edited: fields }, [`changed ${fields.join(', ')} of request ${id}`]);
  });
}

/** Reads `field=value` texts. @throws CliError `usage`, naming the field and never the value */
export function parseAssignments(assignments: readonly string[]): Partial<HelpRequest> {
  const changes: Record<string, unknown> = {};
  for (const assignment of assignments.filter((text) => text !== '')) {
    const at = assignment.indexOf('=');
    const field = assignment.slice(0, Math.max(0, at)).trim();
    if (!FIELDS.includes(field)) throw usageError('that is not field=value with a known field', KNOWN_FIELDS);
    if (field in changes) throw usageError(`${field} is given twice`, 'Give each field once.');
    const value = assignment.slice(at + 1);
    changes[field] = field === 'lat' || field === 'lng' ? coordinate(value) : value;
  }
  if (Object.keys(changes).length === 0) throw usageError('there is nothing to change', KNOWN_FIELDS);
  const checked = requestSchema.partial().safeParse(changes);
  if (checked.success) return checked.data as Partial<HelpRequest>;
  const field = String(checked.error.issues[0]?.path[0]);
  const next =
    field === 'status'
      ? 'It is open, assigned or done.'
      : 'lat and lng are degrees or empty; text has a limit.';
  throw usageError(`${field} cannot have this value`, next);
}

function findRequest(client: Keytide, idStart: string): string {
  const found = /^[0-9a-f]{4,64}$/.test(idStart)
    ? client.collections.requests.list().filter(({ id }) => id.startsWith(idStart))
    : [];
  if (found.length === 1) return found[0]?.id as string;
  const message =
    found.length === 0 ? 'no request has this id' : `${found.length} requests have ids that begin so`;
  const next = 'See `keytide requests list`; the id, or at least 4 digits of its beginning.';
  throw new CliError('unknown-request', EXIT.usage, message, next);
}

const FIELDS: readonly string[] = Object.keys(requestSchema.shape);
const KNOWN_FIELDS = `The fields are ${FIELDS.join(', ')}.`;
