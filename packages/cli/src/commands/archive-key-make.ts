import { printRecipient } from '@keytide/archive';
import { parseQuorumSet, Secret, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { DirectoryError, type Policy } from '@keytide/key-directory';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { writeDealt } from '../archive-key-files.ts';
import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { decide, type ProposeOption } from '../decide.ts';
import { untilOnline, withDevice } from '../device.ts';
import { CliError } from '../errors.ts';
import { holdersOf, type HolderOptions } from '../holders.ts';
import { noteSheets } from '../note-sheets.ts';
import type { Keytide } from '../organisation.ts';

interface MakeOptions extends HolderOptions, ProposeOption {
  readonly out: string;
  readonly yes?: true;
}

/** `keytide archive-key make`: a new archive key, split among its holders, for the policy. Its seed is written nowhere. */
export async function makeArchiveKey(context: Context, options: MakeOptions): Promise<void> {
  const among = holdersOf(options);
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    if (client.policy.archiveKey !== undefined && options.yes === undefined)
      await confirm(
        context,
        'There is an archive key. Take a new one from now on, and keep the old shares for what is sealed to it?',
      );
    const seed = Secret.own(nodeRandom(32));
    const { publicKey } = seed.use((bytes) => primitives.decapsulator(bytes));
    const dealt = await client.dealArchiveKey(seed, among).finally(() => seed.dispose());
    const { fingerprint, hash } = parseQuorumSet(primitives, dealt.set);
    // The shares first: from the moment the policy names the key, they are all that opens what is sealed to it.
    const sheets = await writeDealt(options.out, dealt, publicKey);
    const isDone = await name(context, client, publicKey, options);
    noteSheets(context, options.out);
    if (!isDone) {
      context.output.note(
        'A proposal that is over is made anew by `keytide policy set archive-key` with what is in recipient.txt.',
      );
      return;
    }
    const [key, set] = [toHex(fingerprint), toHex(hash)];
    context.output.result({ key, set, recipient: printRecipient(publicKey), folder: options.out, sheets }, [
      `archive key ${key}`,
      ...sheets.map(({ holder, file }) => `sheet for ${holder}: ${file}`),
    ]);
    context.output.note('Next: `keytide archive-key drill` with all sheets, before you count on it.');
  });
}

/** Has the policy name the key. Where it is certain that it does not, and will not, no sheet is left. */
async function name(
  context: Context,
  client: Keytide,
  archiveKey: Uint8Array,
  options: MakeOptions,
): Promise<boolean> {
  const change = (policy: Policy): Policy => ({ ...policy, archiveKey });
  try {
    return await decide(context, client, { kind: 'policy', change }, options);
  } catch (error) {
    const mayCome = options.propose === undefined ? !isUnapproved(error) : isProposed(options.propose, error);
    if (!mayCome) await rm(options.out, { recursive: true, force: true });
    else if (options.propose === undefined)
      context.output.note(
        `If \`keytide policy show\` does not name the key: \`keytide policy set archive-key\` with recipient.txt, or delete ${options.out}.`,
      );
    else context.output.note(`${options.propose} names the key: submit it, or delete it and ${options.out}.`);
    throw error;
  }
}

/** Whether what failed came after the proposal was written: whoever has that may submit it. */
function isProposed(path: string, error: unknown): boolean {
  return existsSync(path) && !(error instanceof CliError && error.code === 'file-exists');
}

function isUnapproved(error: unknown): boolean {
  return error instanceof DirectoryError && error.code === 'approval-needed';
}
