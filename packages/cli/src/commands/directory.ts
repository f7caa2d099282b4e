import { decodeUtf8 } from '@keytide/crypto-core';
import type { Context } from '../context.ts';
import { nameOf } from '../describe-act.ts';
import { untilOnline, untilWitnessed, withDevice } from '../device.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';

/** `keytide directory checkpoint`: what the relay signed of the membership log, byte for byte. */
export async function showCheckpoint(context: Context, options: { offline?: true }): Promise<void> {
  await withDevice(context, async (client) => {
    if (!options.offline) {
      await untilOnline(context, client);
      await untilWitnessed(context, client);
    }
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
    const { needed, cosigned, isMet } = client.witnesses;
    const witnesses = { needed, cosigned, isMet };
    context.output.result({ size: checkpoint.size, note, witnesses }, note.replace(/\n$/, '').split('\n'));
    if (needed === 0) return;
    const names = cosigned.map(({ member }) => nameOf(client, member));
    const who = names.length === 0 ? 'nobody' : names.join(', ');
    context.output.note(
      `Cosigned lately by ${who}; admins needed: ${needed}${isMet ? '' : ', so nothing is decided here yet'}.`,
    );
  });
}
