import { MAX_ENTRY_BYTES } from '@keytide/key-directory';
import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { describeAct, nameOf } from '../describe-act.ts';
import { untilOnline, withDevice } from '../device.ts';
import { readFileBytes } from '../file-bytes.ts';
import { writeNewFile } from '../new-file.ts';

/** `keytide approve`: an admin's word for another admin's proposal, into a file for whoever submits it. */
export async function approve(
  context: Context,
  path: string,
  options: { out: string; yes?: true },
): Promise<void> {
  const proposal = await readFileBytes(path, MAX_ENTRY_BYTES);
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const { body, author, doneAt } = client.readProposal(proposal);
    if (doneAt !== null) return done(context, body.kind, doneAt);
    const by = author === null ? 'somebody' : nameOf(client, author.member);
    const what = describeAct(client, body);
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
    if (doneAt !== null) return done(context, body.kind, doneAt);
    const what = describeAct(client, body);
    await client.submit(proposal, signed);
    context.output.result({ submitted: body.kind, what }, ['done:', ...what]);
  });
}

function done({ output }: Context, submitted: string, doneAt: number): void {
  output.result({ submitted, doneAt }, [`done before: entry ${doneAt} of the membership log`]);
}
