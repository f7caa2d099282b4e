import type { AccessEvent, AccessNeed, AccessRange } from '@keytide/client';
import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { nameOf } from '../describe-act.ts';
import { untilOnline, withDevice } from '../device.ts';
import { findRequest } from '../find.ts';
import type { Keytide } from '../organisation.ts';
import { formatTable } from '../table.ts';
import { dateTime } from '../timestamps.ts';

/** `keytide access request`: asks for everything that this device may read and cannot. */
export async function requestAccess(context: Context): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    noteAnswers(context, client);
    await client.access.refresh();
    const asked = await client.access.request();
    if (asked === null) return context.output.result({ asked }, ['there is nothing to ask for']);
    await client.access.refresh();
    context.output.result({ asked }, [`asked for what was written ${rangeText(asked)}`]);
    context.output.note(
      'An admin answers with `keytide access approve`; `keytide access list` looks for it.',
    );
  });
}

/** `keytide access list`: what this device asks for, and what waits for this admin. */
export async function listAccess(context: Context): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    noteAnswers(context, client);
    await client.access.refresh();
    const { outstanding: asked, inbox } = client.access;
    const rows = inbox.map(({ id, member, gives, askedMs, needs }) => [
      id,
      nameOf(client, member),
      rangeText(gives),
      dateTime(askedMs),
      needs.map((need) => NEEDS[need]).join(', '),
    ]);
    context.output.result({ asked, inbox }, [
      ...(asked === null ? [] : [`this device waits for what was written ${rangeText(asked)}`]),
      ...formatTable(COLUMNS, rows),
    ]);
  });
}

/** `keytide access approve`: gives the keys. */
export async function approveAccess(context: Context, start: string, options: { yes?: true }): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    await client.access.refresh();
    const { id, member, device, gives, needs } = findRequest(client, start);
    const name = nameOf(client, member);
    const why = needs.map((need) => NEEDS[need]).join(', ');
    const question = `Let the device ${device} of ${name} read what was written ${rangeText(gives)}? (${why})`;
    if (!options.yes) await confirm(context, question);
    await client.access.approve(id);
    context.output.result({ approved: id, member, device, gives }, [
      `a device of ${name} can read what was written ${rangeText(gives)}: ${device}`,
    ]);
  });
}

/** `keytide access refuse`: says no, and why. */
export async function refuseAccess(context: Context, start: string, words: readonly string[]): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    await client.access.refresh();
    const { id, member, device } = findRequest(client, start);
    await client.access.refuse(id, words.join(' '));
    context.output.result({ refused: id, member, device }, [
      `refused: a device of ${nameOf(client, member)}`,
    ]);
  });
}

function noteAnswers({ output }: Context, client: Keytide): void {
  client.on('access', (event: AccessEvent) => {
    if (event.kind === 'granted') {
      const said = { event: 'granted', by: event.by, epochs: event.epochs };
      output.event(said);
      output.note(`${nameOf(client, event.by)} has given this device what it asked for.`);
    }
    if (event.kind === 'refused') {
      const said = { event: 'refused', by: event.by, reason: event.reason };
      output.event(said);
      output.note(`${nameOf(client, event.by)} has refused: ${event.reason}`);
    }
  });
}

function rangeText({ fromMs, toMs }: AccessRange): string {
  return `from ${dateTime(fromMs)} to ${dateTime(toMs)}`;
}

const NEEDS: Readonly<Record<AccessNeed, string>> = {
  'first-request': 'its first request',
  'identity-changed': 'its member’s devices have changed',
  window: 'it asked for more',
  often: 'it asks again and again',
};

const COLUMNS = [
  { heading: 'REQUEST', maxWidth: 64 },
  { heading: 'OF', maxWidth: 40 },
  { heading: 'WRITTEN', maxWidth: 48 },
  { heading: 'ASKED', maxWidth: 20 },
  { heading: 'WHY IT WAITS', maxWidth: 80 },
];
