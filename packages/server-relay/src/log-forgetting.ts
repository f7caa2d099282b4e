import { RelayError } from './errors.ts';
import { forgetOver, type ForgetOverOptions } from './expiry.ts';
import { shortId, type Log } from './log-event.ts';

/** Forgets what is over of group logs, again and again. */
export interface LogForgetting {
  /** Does at once what is due; a call while one is under way is that one. Resolves to whether nothing was left. */
  round(): Promise<boolean>;
  /** Whether the last round left something. */
  readonly isBehind: boolean;
  /** Ends the rounds, and waits for the one under way. */
  stop(): Promise<void>;
}

const EVERY_MS = 3_600_000;

/** The first round begins now, the next each hour. A round that fails is told, and made up for by the next. */
export function startLogForgetting(options: Omit<ForgetOverOptions, 'failed'> & { log: Log }): LogForgetting {
  const { log } = options;
  let running: Promise<boolean> | null = null;
  let isBehind = false;

  async function forget(): Promise<boolean> {
    isBehind = false;
    const failed = (error: unknown): void => {
      isBehind = true;
      log({ event: 'failed', where: 'forget-logs', code: error instanceof RelayError ? error.code : 'bug' });
    };
    try {
      for (const { org, group, firstSeq, lastSeq } of await forgetOver({
        ...options,
        failed: (_org, error) => failed(error),
      }))
        log({ event: 'forgotten', org: shortId(org), group: shortId(group), firstSeq, lastSeq });
    } catch (error) {
      failed(error);
    }
    return !isBehind;
  }

  function round(): Promise<boolean> {
    running ??= forget().finally(() => {
      running = null;
    });
    return running;
  }

  void round();
  const timer = setInterval(() => void round(), EVERY_MS);
  return {
    round,
    get isBehind() {
      return isBehind;
    },
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
