import { join } from '@keytide/client';
import type { Context } from '../context.ts';
import { untilOnline, withNewDevice } from '../device.ts';
import { noteEarlier } from '../earlier.ts';
import { displayName } from '../names.ts';
import { hiddenPrompt } from '../prompt.ts';
import { readStdinText } from '../stdin-text.ts';

const MAX_LINK_BYTES = 8192;

/** `keytide join`: this device becomes a new member's, or another one of a member, by an invite link. */
export async function joinOrg(context: Context, link: string, options: { name?: string }): Promise<void> {
  await withNewDevice(
    context,
    async (rest) =>
      join({
        ...rest,
        link: await linkFrom(context, link),
        ...(options.name === undefined ? {} : { handle: options.name }),
      }),
    async (client) => {
      await untilOnline(context, client);
      const { org, device, member, relayUrl: relay } = client;
      const members = client.members();
      const names = members.map((other) => displayName(other, members)).join(', ');
      context.output.result({ org, device, member, relay, members: members.length }, [
        `joined organisation ${org}`,
        `this device         ${device}`,
        `members             ${names}`,
      ]);
      context.output.note('Next: `keytide chat` talks, `keytide requests list` shows the requests.');
      noteEarlier(context, client);
    },
  );
}

/** `-` keeps the link, which is a secret until it is used, out of the history of the shell. */
async function linkFrom({ signal }: Context, argument: string): Promise<string> {
  if (argument !== '-') return argument;
  const ask = process.stdin.isTTY ? hiddenPrompt(signal) : null;
  return (ask === null ? await readStdinText(MAX_LINK_BYTES) : await ask('Invite link:')).trim();
}
