import type { Context } from '../context.ts';
import { untilOnline, untilSettled, withDevice } from '../device.ts';
import type { Keytide } from '../organisation.ts';
import { CliError } from '../errors.ts';
import { readStdinText } from '../stdin-text.ts';
import { usageError } from '../usage.ts';

const MAX_TEXT_BYTES = 64 * 1024;

/** `keytide send`: one message to the chat. */
export async function send(
  context: Context,
  words: readonly string[],
  options: { offlineOk?: true },
): Promise<void> {
  await withDevice(context, async (client) => {
    const text =
      words.length === 1 && words[0] === '-' ? await readStdinText(MAX_TEXT_BYTES) : words.join(' ');
    if (text === '')
      throw usageError('there is no text to send', 'Give some text, or - to read it from stdin.');
    const isOnline = await reached(context, client, options.offlineOk ?? false);
    await client.collections.chat.append({ text });
    if (isOnline) await untilSettled(context, client);
    context.output.result({ sent: isOnline, queued: !isOnline }, [
      isOnline ? 'sent' : 'kept on this device; goes out by itself the next time keytide reaches the relay',
    ]);
  });
}

async function reached(context: Context, client: Keytide, isOfflineOk: boolean): Promise<boolean> {
  try {
    // Online first: members may have changed, and then the message belongs under new keys.
    await untilOnline(context, client);
    return true;
  } catch (error) {
    if (isOfflineOk && error instanceof CliError && error.code === 'unreachable') return false;
    throw error;
  }
}
