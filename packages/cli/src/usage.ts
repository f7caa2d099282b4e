import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** An argument that makes no sense: what is wrong, and what to do. */
export function usageError(message: string, next: string): CliError {
  return new CliError('usage', EXIT.usage, message, next);
}
