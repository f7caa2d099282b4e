import { printIdentity, printRecipient } from '@keytide/archive';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { disposeAll } from '../archive-key-files.ts';
import { combineGiven } from '../combine-given.ts';
import type { Context } from '../context.ts';
import { readShares, sharesIn } from '../given-shares.ts';
import { knownSet, type SetOptions } from '../known-set.ts';
import { writeNewFile } from '../new-file.ts';

interface CombineOptions extends SetOptions {
  readonly share?: readonly string[];
  readonly out: string;
}

const OWNER_ONLY = 0o600;

/** `keytide archive-key combine`: the key itself, as an age identity file that opens archives. */
export async function combineArchiveKey(context: Context, options: CombineOptions): Promise<void> {
  const { set, said } = await knownSet(context, options);
  const given = await readShares(context, options.share ?? []);
  try {
    const secret = await combineGiven(context, set, given);
    try {
      const recipient = secret.use((seed) => printRecipient(primitives.decapsulator(seed).publicKey));
      const lines = [
        `# The archive key of the Keytide organisation ${set.org}.`,
        '# Whoever has this file reads everything that is sealed to it: delete it once the archives are open.',
        `# public key: ${recipient}`,
        secret.use(printIdentity),
      ];
      await writeNewFile(options.out, new TextEncoder().encode(`${lines.join('\n')}\n`), OWNER_ONLY);
      context.output.result({ ...said, file: options.out, recipient }, [`archive key in ${options.out}`]);
    } finally {
      secret.dispose();
    }
  } finally {
    disposeAll(sharesIn(given));
  }
  context.output.note('WARNING: whoever has this file reads everything that was ever sealed to the key.');
  context.output.note(
    'Use it on a machine without a network, and delete it at once when the archives are open.',
  );
}
