import type { ClientError } from '@keytide/client';
import { CommanderError } from 'commander';
import { CliError } from './errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { adviceFor, systemAdvice } from './advice.ts';

/** An error as a person and a shell need it. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly next: string;
  readonly exitCode: ExitCode;
}

/** Says what is wrong, what to do next, and with which exit code to end. Shows nothing of errors it does not know. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CliError) {
    const { code, message, next, exitCode } = error;
    return { code, message, next, exitCode };
  }
  if (error instanceof CommanderError) {
    // The next sentence follows a full stop of its own.
    const message = error.message
      .replace(/^error: /, '')
      .replaceAll('\n', ' ')
      .replace(/\.$/, '');
    return { code: 'usage', message, next: 'See `keytide --help`.', exitCode: EXIT.usage };
  }
  if (isExitPrompt(error)) return interrupted;
  const coded = error as { code?: unknown; message?: unknown };
  if (error instanceof Error && typeof coded.code === 'string') {
    const relayCode = isOfClient(error) ? error.relayCode : null;
    const advice = adviceFor(error.name, coded.code, relayCode);
    if (advice !== null) {
      const next = nextAttempt(error) ?? advice.next;
      return { ...advice, code: relayCode ?? coded.code, message: error.message, next };
    }
    if (isSystemError(error)) return systemFailure(error);
  }
  const name = error instanceof Error ? error.name : typeof error;
  return {
    code: 'unexpected',
    message: `something unexpected happened (${typeof coded?.code === 'string' ? coded.code : name})`,
    next: 'Try again; KEYTIDE_DEBUG=1 shows more, for a report.',
    exitCode: EXIT.unexpected,
  };
}

const interrupted: Failure = {
  code: 'interrupted',
  message: 'ended before it was done',
  next: 'Run the command again.',
  exitCode: EXIT.interrupted,
};

/** With an unlock lease the relay counts: who goes on trying must know what it costs. */
function nextAttempt({ cause }: Error): string | null {
  if (!isOfClient(cause) || cause.relayCode !== 'wrong-proof') return null;
  const { relayReason: left } = cause;
  if (left === null || !/^[0-9]{1,2}$/.test(left)) return null;
  if (Number(left) === 0)
    return 'That was the last attempt: join again as a new device; an admin can invite you.';
  return `Try again; wrong attempts that are left before nothing opens this device any more: ${left}.`;
}

/** By its name: a command that needs no device has not loaded the library. */
function isOfClient(error: unknown): error is ClientError {
  return error instanceof Error && error.name === 'ClientError';
}

function isExitPrompt(error: unknown): boolean {
  return error instanceof Error && (error.name === 'ExitPromptError' || error.name === 'AbortPromptError');
}

function isSystemError(error: Error): error is NodeJS.ErrnoException {
  return 'syscall' in error && 'errno' in error;
}

/** Errors of the file system name a path, which is the user's own, and no content. */
function systemFailure({ code, path, syscall }: NodeJS.ErrnoException): Failure {
  const where = path === undefined ? '' : ` ${path}`;
  return {
    code: code as string,
    message: `the system refuses to ${syscall ?? 'work on'}${where} (${code})`,
    next: systemAdvice(code),
    exitCode: EXIT.unexpected,
  };
}
