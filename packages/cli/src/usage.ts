import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** An argument that makes no sense: what is wrong, and what to do. */
export function usageError(message: string, next: string): CliError {
  return new CliError('usage', EXIT.usage, message, next);
}

/** @throws CliError `usage` where no time is since `from` and before `until` */
export function assertSpan(from: number | undefined, until: number | undefined): void {
  if (from === undefined || until === undefined || from < until) return;
  throw usageError(
    'nothing is written from --from on and before --until',
    'Give the earlier date with --from.',
  );
}
