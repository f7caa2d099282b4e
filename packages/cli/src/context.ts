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
