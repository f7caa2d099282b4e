import { compareBytes, concatBytes, encodeUtf8, type Primitives } from '@keytide/crypto-core';

/** Which part is opened: so much of it, from above 0 to 1, chosen by a seed that nobody could foresee when it was written. */
export interface Sample {
  readonly fraction: number;
  readonly seed: string;
}

/** Those of the names that a sample takes, at least one where there are any; all of them without one. */
export function sampled(
  primitives: Primitives,
  { id, sample }: { readonly id: Uint8Array; readonly sample: Sample | null },
  names: readonly string[],
): ReadonlySet<string> {
  if (sample === null) return new Set(names);
  const place = (name: string): Uint8Array =>
    primitives.sha256(concatBytes(id, bytesOf(sample.seed), Uint8Array.of(0), bytesOf(name)));
  const placed = names.map((name) => ({ name, at: place(name) }));
  placed.sort((a, b) => compareBytes(a.at, b.at));
  return new Set(placed.slice(0, Math.ceil(names.length * sample.fraction)).map(({ name }) => name));
}

function bytesOf(text: string): Uint8Array {
  return encodeUtf8(text) ?? new Uint8Array();
}
