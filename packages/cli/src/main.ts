import { CommanderError } from 'commander';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { describeFailure } from './failure.ts';
import { interruption, watchInterrupts } from './interrupt.ts';
import { createProgram } from './program.ts';
import { jsonLine, terminalText } from './terminal-text.ts';

/** Runs one command line and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  let exitCode: ExitCode = EXIT.ok;
  // Ctrl-D at a question closes the terminal's input: then nothing is left to wait for, and no answer comes.
  const onNothingLeft = (): void => process.exit(report(interruption(), args.includes('--json')));
  process.once('beforeExit', onNothingLeft);
  try {
    const program = createProgram(watchInterrupts(), (code) => {
      exitCode = code;
    });
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    exitCode = report(error, args.includes('--json'));
  }
  // A connection that still hangs must not keep the process; what was said must be out first.
  process.stdout.write('', () => process.exit(exitCode));
}

function report(error: unknown, isJson: boolean): ExitCode {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
  // Asked for nothing: the help was the answer.
  if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage;
  const { code, message, next, exitCode } = describeFailure(error);
  if (isJson) process.stderr.write(`${jsonLine({ error: { code, message, next } })}\n`);
  else if (exitCode !== EXIT.interrupted)
    process.stderr.write(`${terminalText(`keytide: ${message}. ${next}`)}\n`);
  if (process.env['KEYTIDE_DEBUG']) console.error(error);
  return exitCode;
}
