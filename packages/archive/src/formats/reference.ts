import type { CborValue } from '@keytide/crypto-core';
import { isMap } from './operation.ts';

/** The map in a value, at any depth, that names an attachment; `null` where there is none. */
export function referenceIn(value: CborValue, blob: string): { readonly [field: string]: CborValue } | null {
  const items = Array.isArray(value)
    ? (value as readonly CborValue[])
    : isMap(value)
      ? Object.values(value)
      : [];
  if (isMap(value) && value['blob'] === blob) return value;
  for (const item of items) {
    const found = referenceIn(item, blob);
    if (found !== null) return found;
  }
  return null;
}
