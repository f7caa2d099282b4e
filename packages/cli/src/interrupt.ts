import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** Ends `aborted` at the first Ctrl-C, so that commands close cleanly; the second ends the process at once. */
export function watchInterrupts(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(EXIT.interrupted);
      controller.abort(interruption());
    });
  }
  // Whoever read our output has gone, as `head` does.
  process.stdout.on('error', () => controller.abort(interruption()));
  return controller.signal;
}

/** The error with which an interrupted command ends. */
export function interruption(): CliError {
  return new CliError('interrupted', EXIT.interrupted, 'interrupted', 'Run the command again to go on.');
}
