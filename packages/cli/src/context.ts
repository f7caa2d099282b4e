import type { ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import type { PassphraseSources } from './passphrase.ts';

/** What every command is given: the global options, and the ways in and out. */
export interface Context {
  /** The folder of this device. */
  readonly home: string;
  /** How long to wait for a relay that says nothing. */
  readonly timeoutMs: number;
  readonly output: Output;
  readonly passphrase: PassphraseSources;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** A command's work: its exit code, or nothing for 0. */
export type Work = (context: Context) => Promise<ExitCode | void>;

/** Runs a command's work with what every command is given. */
export type Run = (work: Work) => Promise<void>;
