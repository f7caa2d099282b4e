import type { PushAnswer } from './push-http.ts';
import type { PushFailure, PushOutcome } from './sender.ts';

/** What an answer means that says it by its status; `null` for one that says that it was taken (2xx). */
export function outcomeOf(answer: PushAnswer | PushFailure, gone: readonly number[]): PushOutcome | null {
  if (typeof answer === 'string') return later(answer);
  const { status, retryAfterMs } = answer;
  if (status >= 200 && status < 300) return null;
  if (gone.includes(status)) return { kind: 'gone' };
  const isBusy = status === 408 || status === 429 || status >= 500;
  return later(isBusy ? 'push-busy' : 'push-refused', retryAfterMs);
}

/** Try again. */
export function later(code: PushFailure, afterMs: number = 0): PushOutcome {
  return { kind: 'later', code, afterMs };
}
