import type { Act } from '@keytide/client';
import type { Context } from './context.ts';
import type { Keytide } from './organisation.ts';
import { describeAct } from './describe-act.ts';
import { writeNewFile } from './new-file.ts';

/** What `--propose` gives a command that changes the organisation. */
export interface ProposeOption {
  readonly propose?: string;
}

/** Does it now, or writes it to a file for other admins to approve. */
export async function decide(
  context: Context,
  client: Keytide,
  act: Act,
  { propose: path }: ProposeOption,
): Promise<boolean> {
  if (path === undefined) {
    await client.act(act);
    return true;
  }
  const proposal = await client.propose(act);
  const { body, approvals } = client.readProposal(proposal);
  await writeNewFile(path, proposal);
  context.output.result({ proposal: path, kind: body.kind, approvals }, [
    ...describeAct(client, body),
    `proposed in ${path}; approvals of other admins: ${approvals}`,
  ]);
  context.output.note(nextStep(approvals, 'anything else changes'));
  return false;
}

/** What has to happen to a proposal that takes so many approvals. */
export function nextStep(approvals: number, before: string): string {
  if (approvals === 0) return `Next: somebody runs \`keytide submit\`, before ${before}.`;
  return `Next: they run \`keytide approve\`, and somebody \`keytide submit\`, before ${before}.`;
}
