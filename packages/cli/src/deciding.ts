import type { Command } from 'commander';

/** A command that changes what the organisation decides: with `--propose`, for others to approve. */
export function deciding(command: Command): Command {
  return command.option('--propose <file>', 'do not do it: write it to a file for other admins to approve');
}
