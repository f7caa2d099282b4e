import { MAX_QUORUM_SET_BYTES, parseQuorumSet, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { disposeAll, writeDealt } from '../archive-key-files.ts';
import { combineError, noteRefused } from '../combine-given.ts';
import type { Context } from '../context.ts';
import { withDevice } from '../device.ts';
import { readFileBytes } from '../file-bytes.ts';
import { readShares, sharesIn } from '../given-shares.ts';
import { holdersOf, type HolderOptions } from '../holders.ts';
import { loggedSet, readLogged } from '../known-set.ts';
import { noteSheets } from '../note-sheets.ts';

interface ReshareOptions extends HolderOptions {
  readonly set: string;
  readonly share?: readonly string[];
  readonly out: string;
}

/** `keytide archive-key reshare`: the same key among other holders, by enough of the shares that there are. */
export async function reshareArchiveKey(context: Context, options: ReshareOptions): Promise<void> {
  const among = holdersOf(options);
  const wire = await readFileBytes(options.set, MAX_QUORUM_SET_BYTES);
  await withDevice(context, async (client) => {
    const previous = readLogged(client, wire);
    for (const line of loggedSet(previous).lines) context.output.note(line);
    const given = await readShares(context, options.share ?? []);
    const shares = sharesIn(given);
    try {
      noteRefused(context, previous.set, given);
      const dealt = await client.redealArchiveKey(previous, shares, among).catch((error: unknown) => {
        throw combineError(error, previous.set, given);
      });
      const { dealer } = previous;
      const { fingerprint, hash } = parseQuorumSet(primitives, dealt.set);
      const sheets = await writeDealt(options.out, dealt, previous.publicKey);
      const [key, set, replaces] = [fingerprint, hash, previous.set.hash].map(toHex);
      context.output.result({ key, set, replaces, dealer, folder: options.out, sheets }, [
        `the same key, ${key}`,
        ...sheets.map(({ holder, file }) => `sheet for ${holder}: ${file}`),
      ]);
    } finally {
      disposeAll(shares);
    }
    noteSheets(context, options.out);
    context.output.note(
      'The old shares still open everything, until so many of them are destroyed that too few are left.',
    );
    context.output.note(
      'Against holders who keep theirs only another key helps: `keytide archive-key make`.',
    );
  });
}
