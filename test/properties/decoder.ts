/**
 * A reader of untrusted bytes, as the fuzz suite sees it. The suite knows nothing else of it, so a new reader is
 * one more of these in a table.
 */
export interface Decoder {
  readonly name: string;
  /** Good inputs: mutations start from them, and each of them is accepted. At least one. */
  readonly corpus: () => Promise<readonly Uint8Array[]> | readonly Uint8Array[];
  /**
   * Reads an input and writes what was read again. `null`: not an input of this kind, as the function says it
   * without a throw.
   */
  readonly rewrite: (input: Uint8Array) => Promise<Uint8Array | null> | Uint8Array | null;
  /** The only errors that it may throw: this class, with one of these codes. */
  readonly error: new (...input: never[]) => Error & { readonly code: string };
  readonly codes: readonly string[];
  /** What `rewrite` gives for an accepted input, where spelling is free (text for people, JSON). Default: the input. */
  readonly normal?: (input: Uint8Array) => Uint8Array;
  /** One input in so many, for a reader of files. Default 1. */
  readonly slowness?: number;
}

/**
 * A `rewrite` of a reader and its writer. The writer must write whatever the reader accepts: what it throws is
 * no refusal, so it is not passed on as one.
 */
export function through<T>(
  read: (input: Uint8Array) => T,
  write: (value: T, input: Uint8Array) => Uint8Array | null,
): (input: Uint8Array) => Uint8Array | null {
  return (input) => {
    const value = read(input);
    try {
      return write(value, input);
    } catch (cause) {
      throw new Error('what was read cannot be written', { cause });
    }
  };
}
