import { decodeUtf8 } from '@keytide/crypto-core';
import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';

/** `keytide directory checkpoint`: what the relay signed of the membership log, byte for byte. */
export async function showCheckpoint(context: Context, options: { offline?: true }): Promise<void> {
  await withDevice(context, async (client) => {
    if (!options.offline) await untilOnline(context, client);
    const { checkpoint } = client;
    if (checkpoint === null) {
      throw new CliError(
        'no-checkpoint',
        EXIT.refused,
        'no checkpoint of the membership log is known here',
        'Without --offline it is asked for; a relay without a key of its own in the policy signs none.',
      );
    }
    const note = decodeUtf8(checkpoint.note) as string;
    context.output.result({ size: checkpoint.size, note }, note.replace(/\n$/, '').split('\n'));
  });
}
