import type { WipeTarget } from '@keytide/key-directory';
import type { WIPE_TARGETS } from '../choices.ts';
import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { decide, type ProposeOption } from '../decide.ts';
import { describeAct } from '../describe-act.ts';
import { untilOnline, withDevice } from '../device.ts';
import type { Keytide } from '../organisation.ts';
import { findDevice, findMember } from '../find.ts';
import { usageError } from '../usage.ts';

/** `keytide wipe`: orders devices to destroy what they hold, and ends them. */
export async function wipe(
  context: Context,
  of: (typeof WIPE_TARGETS)[number],
  which: string | undefined,
  options: ProposeOption & { yes?: true },
): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const target = targetOf(client, of, which);
    const lines = describeAct(client, { kind: 'wipe', target });
    if (!options.yes && options.propose === undefined) await confirm(context, `${lines.join('; ')}?`);
    if (!(await decide(context, client, { kind: 'wipe', target }, options))) return;
    context.output.result({ wiped: target }, lines);
    context.output.note(
      'They get no key and no session from now on. `keytide wipe status` says which of them have destroyed what they held.',
    );
  });
}

function targetOf(client: Keytide, of: (typeof WIPE_TARGETS)[number], which: string | undefined): WipeTarget {
  if ((which === undefined) !== (of === 'everyone-but-admins'))
    throw usageError('nothing names what to wipe', 'Give device ID, member NAME, or everyone-but-admins.');
  if (of === 'device') return { of, device: findDevice(client, which as string).id };
  if (of === 'member') return { of, member: findMember(client, which as string).id };
  return { of };
}
