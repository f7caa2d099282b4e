import { ClientError, type MemberView } from '@keytide/client';
import type { Context } from '../context.ts';
import { untilOnline, withDevice, type Keytide } from '../device.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { interruption } from '../interrupt.ts';
import { displayName } from '../names.ts';
import { confirmPrompt } from '../prompt.ts';

/** `keytide remove`: takes a member and all their devices out of the organisation, for good. */
export async function removeMember(context: Context, name: string, options: { yes?: true }): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client).catch(unlessStopped);
    const member = findMember(client, name);
    if (!options.yes) await confirm(context, member);
    await client.removeMember(member.id);
    const { id, handle, devices } = member;
    context.output.result({ removed: id, handle, devices }, [
      `removed ${handle}, devices: ${devices.length}`,
    ]);
    context.output.note('They cannot read what is written from now on; what they have read they may keep.');
  });
}

/** A false claim of a member stops this device, and removing that member is the way out. */
function unlessStopped(error: unknown): void {
  if (!(error instanceof ClientError && error.code === 'relay-forked')) throw error;
}

function findMember(client: Keytide, name: string): MemberView {
  const members = client.members();
  const found = members.filter((member) => displayName(member, members) === name || member.id === name);
  if (found.length === 1) return found[0] as MemberView;
  const isShared = members.some(({ handle }) => handle === name);
  const message = isShared ? 'more than one member has this name' : 'no member has this name';
  const next = 'Give the name, with its # part if it has one, as `keytide members` shows it.';
  throw new CliError('unknown-member', EXIT.usage, message, next);
}

/** @throws CliError `not-confirmed` when nobody can be asked, `interrupted` when the answer is no */
async function confirm({ signal, output }: Context, { handle, devices }: MemberView): Promise<void> {
  const ask = confirmPrompt(signal);
  if (ask === null) {
    const message = 'there is nobody to ask whether to remove this member';
    throw new CliError('not-confirmed', EXIT.usage, message, 'Run it in a terminal, or give --yes.');
  }
  if (await ask(`Remove ${handle} and all their devices (${devices.length}), for good?`)) return;
  output.note('Nobody was removed.');
  throw interruption();
}
