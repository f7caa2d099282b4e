import { fromHex, toHex } from '@keytide/crypto-core';

/** What one run of the suite found. Plain data, because it leaves a browser and a virtual machine as JSON. */
export interface SuiteReport {
  readonly provider: string;
  /** The names of the checks that held. */
  readonly passed: readonly string[];
  /** Name and reason of each that did not. */
  readonly failed: readonly string[];
  /** Hex of what was made with this provider's randomness, for another runtime to open. */
  readonly made: Readonly<Record<string, string>>;
}

/** Runs checks and remembers how they went; no test runner exists on every runtime. */
export class Checks {
  readonly passed: string[] = [];
  readonly failed: string[] = [];

  async run(name: string, act: () => void | Promise<void>): Promise<void> {
    try {
      await act();
      this.passed.push(name);
    } catch (error) {
      this.failed.push(`${name}: ${String(error)}`);
    }
  }
}

/** @throws Error where the bytes differ */
export function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  expectEqual(toHex(actual), toHex(expected));
}

/** @throws Error where the values differ */
export function expectEqual(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${String(actual)} instead of ${String(expected)}`);
}

/** The code of what `act` throws, or 'accepted'. */
export function outcomeOf(act: () => unknown): string {
  try {
    act();
    return 'accepted';
  } catch (error) {
    // A lowered class still has its code, whatever `instanceof` says of it.
    return String((error as { code?: unknown }).code ?? error);
  }
}

/** As `outcomeOf`, for what answers later. */
export async function outcomeOfAsync(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
    return 'accepted';
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}

/** @throws Error for text that is not hex */
export function hexBytes(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === null) throw new Error('not hex');
  return bytes;
}
