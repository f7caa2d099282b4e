import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** How long to wait for something that makes progress. */
export interface Patience {
  /** Gives up after this time without progress. */
  readonly timeoutMs: number;
  /** Ends the waiting with its reason. */
  readonly signal: AbortSignal;
  /** Anything that changes when there is progress. */
  progress(): unknown;
}

const LOOK_MS = 100;

/**
 * Waits for `work` as long as it makes progress; what it was doing goes on.
 * @throws CliError `unreachable`; the signal's reason; whatever `work` throws
 */
export async function patiently<T>(work: Promise<T>, patience: Patience): Promise<T> {
  const { timeoutMs, signal, progress } = patience;
  // When it is no longer waited for, nobody is left to hear of a later failure.
  work.catch(() => {});
  signal.throwIfAborted();
  let seen = progress();
  let leftMs = timeoutMs;
  let stop: () => void = () => {};
  const lost = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    const timer = setInterval(() => {
      const now = progress();
      leftMs = now === seen ? leftMs - LOOK_MS : timeoutMs;
      seen = now;
      if (leftMs <= 0) reject(unreachable(timeoutMs));
    }, LOOK_MS);
    stop = () => {
      clearInterval(timer);
      signal.removeEventListener('abort', onAbort);
    };
  });
  try {
    return await Promise.race([work, lost]);
  } finally {
    stop();
  }
}

function unreachable(timeoutMs: number): CliError {
  const message = `the relay did not answer for ${timeoutMs / 1000} seconds`;
  const next = 'Check its address and the network, and run the command again; --timeout waits longer.';
  return new CliError('unreachable', EXIT.unreachable, message, next);
}
