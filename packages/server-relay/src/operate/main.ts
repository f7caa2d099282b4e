import { CommanderError } from 'commander';
import { RelayError } from '../errors.ts';
import { createProgram } from './program.ts';
import { REMEDIES } from './remedies.ts';

/** Exit codes: done, failed, and called or configured wrongly. */
const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Runs one command line and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  let exitCode: number = EXIT.ok;
  try {
    const program = createProgram((code) => {
      exitCode = code;
    });
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    exitCode = report(error);
  }
  // What was said must be out first.
  process.stdout.write('', () => process.exit(exitCode));
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const code = error instanceof RelayError ? error.code : 'bug';
  // What is no error of ours may quote a connection string.
  const message =
    error instanceof RelayError ? error.message : 'something unforeseen; KEYTIDE_DEBUG=1 shows it';
  const remedy = REMEDIES[code];
  for (const line of message.split('\n')) process.stderr.write(`keytide-relay: ${code}: ${line}\n`);
  if (remedy !== undefined) process.stderr.write(`keytide-relay: ${remedy}\n`);
  if (process.env['KEYTIDE_DEBUG']) console.error(error);
  return code === 'config-invalid' ? EXIT.usage : EXIT.failed;
}
