import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { patiently } from '../src/patience.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const never = (): Promise<never> => new Promise(() => {});
const { signal } = new AbortController();

test('waits as long as there is progress, and no longer than the timeout without', async () => {
  let seen = 0;
  const waiting = patiently(never(), { timeoutMs: 1000, signal, progress: () => seen });
  const outcome = vi.fn<(error: unknown) => void>();
  waiting.catch(outcome);
  for (let second = 0; second < 5; second += 1) {
    await vi.advanceTimersByTimeAsync(900);
    seen += 1;
  }
  expect(outcome).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1200);
  expect(outcome).toHaveBeenCalledWith(expect.objectContaining({ code: 'unreachable', exitCode: 4 }));
});

test('ends with the work', async () => {
  const patience = { timeoutMs: 1000, signal, progress: () => 0 };
  expect(await patiently(Promise.resolve(7), patience)).toBe(7);
  await expect(patiently(Promise.reject(new Error('x')), patience)).rejects.toThrow('x');
  expect(vi.getTimerCount()).toBe(0);
});

test('ends with the signal', async () => {
  const controller = new AbortController();
  const waiting = patiently(never(), { timeoutMs: 1000, signal: controller.signal, progress: () => 0 });
  controller.abort(new Error('stop'));
  await expect(waiting).rejects.toThrow('stop');
});

test('a signal that was there before leaves no failure that nobody hears', async () => {
  const unheard = vi.fn<(error: unknown) => void>();
  process.on('unhandledRejection', unheard);
  try {
    const waiting = patiently(Promise.reject(new Error('later')), {
      timeoutMs: 1000,
      signal: AbortSignal.abort(new Error('stop')),
      progress: () => 0,
    });
    await expect(waiting).rejects.toThrow('stop');
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    expect(unheard).not.toHaveBeenCalled();
  } finally {
    process.off('unhandledRejection', unheard);
  }
});
