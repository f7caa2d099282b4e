import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Work } from '../src/context.ts';
import { EXIT } from '../src/exit-codes.ts';
import { describeFailure } from '../src/failure.ts';
import { createOutput } from '../src/output.ts';

/** Runs a command without a process, and without a home if none is given, by somebody who types these answers: its exit code, and what it said last, or the code of its error. */
export async function here(
  work: Work,
  types: string[] | null = null,
  home = join(tmpdir(), 'keytide-nobody'),
): Promise<unknown[]> {
  let stdout = '';
  const output = createOutput({
    json: true,
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: () => {} },
  });
  const ask = types === null ? null : async () => types.shift() ?? '';
  const env = { KEYTIDE_PASSPHRASE: 'correct horse battery' };
  const passphrase = { fd: null, env, findPrompt: () => ask };
  const { signal } = new AbortController();
  try {
    const code = await work({ home, timeoutMs: 15_000, output, passphrase, signal });
    return [code ?? EXIT.ok, JSON.parse(stdout.trimEnd().split('\n').at(-1) as string)];
  } catch (error) {
    const { exitCode, code } = describeFailure(error);
    return [exitCode, code];
  }
}
