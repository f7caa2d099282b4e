import type { OrgId } from '@keytide/crypto-core';
import type { Policy } from '@keytide/key-directory/verify';
import type { Blobs } from './blobs.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log-event.ts';
import { startLogForgetting, type LogForgettingOptions } from './log-forgetting.ts';
import type { Metrics } from './metrics.ts';
import { createRetentionWarnings, type RetentionWarningsOptions } from './retention-warnings.ts';
import type { RelayStore } from './store.ts';

/** Everything a relay forgets by itself. */
export interface ForgetRounds {
  /** Forgets at once what is over of group logs, and if all of that went, of attachments. Resolves to whether all of it went. */
  forget(): Promise<boolean>;
  /** Ends the rounds, and waits for the one under way. */
  stop(): Promise<void>;
}

/** What `startForgetRounds` works with. */
export interface ForgetRoundsOptions extends Omit<LogForgettingOptions, 'warn'>, RetentionWarningsOptions {
  readonly store: LogForgettingOptions['store'] & Pick<RelayStore, 'forgetLogins' | 'forgetExpired'>;
  readonly blobs: Pick<Blobs, 'forgetOld'>;
  /** As the database has it now. */
  readonly retentionOf: (org: OrgId) => Promise<Policy | null>;
  readonly metrics: Pick<Metrics, 'expired' | 'attachmentsHeld'>;
  readonly clock: Clock;
  readonly log: Log;
}

const EVERY_MS = 600_000;

/** Starts to forget: group logs now and each hour, attachments and rows that are over every ten minutes. */
export function startForgetRounds(options: ForgetRoundsOptions): ForgetRounds {
  const { store, blobs, clock, log, metrics, mayForget, retentionOf } = options;
  const warnings = createRetentionWarnings(options);
  const logForgetting = startLogForgetting({ ...options, warn: warnings.round });
  let underWay: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    const rows = forgetRows().catch(() => failed('database-failed'));
    const bytes = forgetBlobs();
    const round = Promise.all([rows, bytes]).then((outcomes) => {
      if (!outcomes.includes('failed') && !logForgetting.isBehind) metrics.expired();
    });
    underWay = Promise.allSettled([underWay, round]);
  }, EVERY_MS);

  async function forgetRows(): Promise<void> {
    await store.forgetLogins(clock.now());
    // A device whose unlock share is gone never opens again.
    if (await mayForget()) await store.forgetExpired(clock.now());
  }

  async function forgetBlobs(): Promise<'failed' | 'done'> {
    try {
      if (await mayForget()) metrics.attachmentsHeld((await blobs.forgetOld(retentionOf)).sizeBytes);
      return 'done';
    } catch {
      return failed('blobs-failed');
    }
  }

  function failed(code: string): 'failed' {
    log({ event: 'failed', where: 'forget', code });
    return 'failed';
  }

  return {
    forget() {
      const round = logForgetting.round().then(async (isAll) => isAll && (await forgetBlobs()) === 'done');
      underWay = Promise.allSettled([underWay, round]);
      return round;
    },
    async stop() {
      clearInterval(timer);
      await logForgetting.stop();
      await underWay;
    },
  };
}
