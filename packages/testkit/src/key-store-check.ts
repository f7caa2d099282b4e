import { toHex, type KeyStore } from '@keytide/crypto-core';

/** How the suite gets at one adapter; every check asks for a place of its own. */
export interface KeyStoreUnderTest {
  /** Makes a new, empty store. */
  create(): Promise<KeyStore>;
  /** Opens what `create` made; `null` for an adapter that keeps nothing. */
  readonly open: (() => Promise<KeyStore>) | null;
  /** What a second `open` beside an open store gives: a share in it, or this code; `null` where there is no second. */
  readonly beside: 'shared' | 'vault-locked' | null;
  /** Leaves the open store as a crash does and opens it anew; `null` where another test does that, or nothing can. */
  readonly crash: (() => Promise<KeyStore>) | null;
  /** Every byte string that the adapter keeps; `null` where it keeps none. */
  readonly kept: (() => Promise<readonly Uint8Array[]>) | null;
}

/** One thing that a key store owes. It closes what it opens. */
export interface KeyStoreCheck {
  readonly name: string;
  check(under: KeyStoreUnderTest): Promise<void>;
}

/** @throws Error where the two do not look the same; no test library exists on every runtime */
export function expectSame(actual: unknown, expected: unknown): void {
  const [seen, wanted] = [shown(actual), shown(expected)];
  if (seen !== wanted) throw new Error(`${seen} instead of ${wanted}`);
}

/** @throws Error where `act` does not reject with this code */
export async function expectCode(code: string, act: () => Promise<unknown>): Promise<void> {
  let outcome = 'no error';
  try {
    await act();
  } catch (error) {
    outcome = String((error as { code?: unknown }).code ?? error);
  }
  expectSame(outcome, code);
}

function shown(value: unknown): string {
  return value instanceof Uint8Array ? `bytes ${shortened(toHex(value))}` : shortened(JSON.stringify(value));
}

/** Long ones are told apart by their whole text all the same: its length and its end are kept. */
function shortened(text: string): string {
  if (text.length <= 400) return text;
  let sum = 0;
  for (let i = 0; i < text.length; i += 1) sum = (sum * 31 + text.charCodeAt(i)) % 2_147_483_647;
  return `${text.slice(0, 80)}… (${text.length} characters, sum ${sum})`;
}
