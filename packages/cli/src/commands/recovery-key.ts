import { Secret, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import type { Context } from '../context.ts';
import { writeNewFile } from '../new-file.ts';

/** `keytide org recovery-key`: a key that can put a new admin in. Its seed goes to a file, as 64 hex digits. */
export async function makeRecoveryKey({ output }: Context, path: string): Promise<void> {
  const seed = Secret.own(nodeRandom(32));
  const publicKey = seed.use((bytes) => toHex(primitives.signer(bytes).publicKey));
  try {
    await writeNewFile(
      path,
      seed.use((bytes) => new TextEncoder().encode(`${toHex(bytes)}\n`)),
      OWNER_ONLY,
    );
  } finally {
    seed.dispose();
  }
  output.result({ file: path, publicKey }, [publicKey]);
  output.note(
    `Its secret half is in ${path}: whoever has that can make themselves admin. Keep it on paper, or split`,
  );
  output.note('it among people you trust, and away from every device.');
  output.note('Next: `keytide policy set recovery-key` with the digits above.');
}

const OWNER_ONLY = 0o600;
