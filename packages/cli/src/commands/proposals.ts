import { ArchiveError, parseRelease } from '@keytide/archive/aggregates';
import { readReleaseProposal, submitRelease } from '@keytide/client/aggregates';
import { MAX_ENTRY_BYTES } from '@keytide/key-directory';
import { chosenTables, tableLines } from '../aggregate-table.ts';
import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { describeAct, nameOf } from '../describe-act.ts';
import { untilOnline, withDevice } from '../device.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { readFileBytes } from '../file-bytes.ts';
import { writeNewFile } from '../new-file.ts';
import type { Keytide } from '../organisation.ts';
import { requestRecords } from '../request-records.ts';
import { usageError } from '../usage.ts';

const MAX_NUMBERS_BYTES = 1024 * 1024;

/** `keytide approve`: an admin's word for another admin's proposal, into a file for whoever submits it. */
export async function approve(
  context: Context,
  path: string,
  options: { out: string; numbers?: string; yes?: true },
): Promise<void> {
  const proposal = await readFileBytes(path, MAX_ENTRY_BYTES);
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const { body, author, doneAt } = client.readProposal(proposal);
    if (doneAt !== null) return done(context, body.kind, doneAt);
    const by = author === null ? 'somebody' : nameOf(client, author.member);
    const what = describeAct(client, body);
    if (body.kind === 'aggregates') what.push(...(await proposedNumbers(client, proposal, options)));
    if (!options.yes) await confirm(context, `${by} proposes: ${what.join('; ')}. Approve?`);
    await writeNewFile(options.out, await client.approve(proposal));
    context.output.result({ approval: options.out, kind: body.kind, by: author?.member ?? null, what }, [
      `approved what ${by} proposes:`,
      ...what,
      `approval in ${options.out}`,
    ]);
  });
}

/** `keytide submit`: appends a proposal with its approvals; once it is done, says so. */
export async function submit(context: Context, path: string, approvals: readonly string[]): Promise<void> {
  const proposal = await readFileBytes(path, MAX_ENTRY_BYTES);
  const signed: Uint8Array[] = [];
  for (const approval of approvals) signed.push(await readFileBytes(approval, MAX_ENTRY_BYTES));
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const { body, doneAt } = client.readProposal(proposal);
    const what = describeAct(client, body);
    if (body.kind === 'aggregates') {
      const { releases: collection } = client.collections;
      // Also when it is entered: it is for the device that made the numbers to show them.
      const isShown = await submitRelease(client, proposal, { approvals: signed, collection });
      context.output.result({ submitted: body.kind, what, isShown }, ['done:', ...what]);
      if (!isShown)
        context.output.note('Next: whoever proposed it submits it too. Only they can show the numbers.');
      return;
    }
    if (doneAt !== null) return done(context, body.kind, doneAt);
    await client.submit(proposal, signed);
    context.output.result({ submitted: body.kind, what }, ['done:', ...what]);
  });
}

/** The tables of the numbers that are proposed, and whether this device counts the same. */
async function proposedNumbers(
  client: Keytide,
  proposal: Uint8Array,
  { numbers, yes }: { readonly numbers?: string; readonly yes?: true },
): Promise<string[]> {
  if (numbers === undefined)
    throw usageError(
      'numbers are approved by who has seen them',
      'Give --numbers: the file beside the proposal.',
    );
  const release = parseRelease(parseJson(await readFileBytes(numbers, MAX_NUMBERS_BYTES)));
  const { records } = requestRecords(client.collections.requests.list());
  const { isSame } = readReleaseProposal(client, { proposal, release }, records);
  if (isSame === false && yes)
    throw new CliError(
      'other-numbers',
      EXIT.refused,
      'this device counts other numbers',
      'Find out which of the two devices lacks requests; without --yes it asks.',
    );
  const compared = {
    true: 'this device counts the same',
    false: 'THIS DEVICE COUNTS OTHER NUMBERS',
    null: 'with noise, which nobody can count again',
  };
  return [...chosenTables(release, {}).flatMap(tableLines), compared[`${isSame}`]];
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new ArchiveError('malformed', 'no aggregates', { cause });
  }
}

function done({ output }: Context, submitted: string, doneAt: number): void {
  output.result({ submitted, doneAt }, [`done before: entry ${doneAt} of the membership log`]);
}
