/** What our formats are made of: integers in the safe range, other finite numbers, byte strings, text, booleans, null, arrays, maps with text keys. */
export type CborValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | { readonly [key: string]: CborValue };
