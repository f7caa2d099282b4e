import type { Invite } from '@keytide/key-directory';
import { renderUnicodeCompact } from 'uqr';
import type { Context } from './context.ts';
import { nextStep, type ProposeOption } from './decide.ts';
import { writeNewFile } from './new-file.ts';
import type { Keytide } from './organisation.ts';
import { clockTime, isoTime } from './timestamps.ts';

/** How an invite is made and shown. */
export interface ShareOptions extends ProposeOption {
  /** How long it is valid, in milliseconds. */
  readonly valid: number;
  /** Also as a QR code, beside the link on stderr. */
  readonly qr?: true;
}

/** Makes an invite, or proposes it, and prints its link, which is a secret until it is used. */
export async function shareLink(
  { output }: Context,
  client: Keytide,
  lets: Invite['lets'],
  options: ShareOptions,
): Promise<void> {
  const nowMs = Date.now();
  const expiresMs = nowMs + options.valid;
  const { link, ...proposed } = await makeLink(client, lets, options);
  const what = lets.in === 'member' ? { role: lets.role } : { member: lets.member };
  output.result({ link, ...what, expires: isoTime(expiresMs), ...proposed }, [link]);
  // On a light and on a dark terminal alike: a scanner reads both ways, and the border is part of it.
  if (options.qr) for (const line of renderUnicodeCompact(link, { border: 2 }).split('\n')) output.note(line);
  if (proposed.approvals !== undefined) {
    output.note(`Proposed in ${proposed.proposal}; approvals of other admins: ${proposed.approvals}.`);
    output.note(nextStep(proposed.approvals, 'the link works'));
  }
  output.note(
    `Works once, until ${clockTime(expiresMs, nowMs)}. Whoever has it can join: send it over a channel you trust.`,
  );
}

async function makeLink(
  client: Keytide,
  lets: Invite['lets'],
  { valid: validForMs, propose: path }: ShareOptions,
): Promise<{ link: string; proposal?: string; approvals?: number }> {
  if (path === undefined) {
    const making =
      lets.in === 'member'
        ? client.invite({ role: lets.role, validForMs })
        : client.inviteDevice({ member: lets.member, validForMs });
    return { link: await making };
  }
  const { proposal, link } = await client.proposeInvite(lets, { validForMs });
  await writeNewFile(path, proposal);
  return { link, proposal: path, approvals: client.readProposal(proposal).approvals };
}
