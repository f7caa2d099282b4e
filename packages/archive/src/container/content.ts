import { decodeCbor, fromBase64Url, toBase64Url, type CborValue } from '@keytide/crypto-core';

/** What JSON can say. */
export type JsonValue =
  | number
  | string
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** The longest payload of an envelope. */
const MAX_PAYLOAD_BYTES = 262_144;
/** How deep CBOR of ours is at most (docs/spec/encoding.md). */
const MAX_DEPTH = 64;

/** A payload as JSON (docs/spec/archive.md, "Segments"); `null` where it is no CBOR of ours. */
export function contentOf(payload: Uint8Array): { readonly content: JsonValue } | null {
  try {
    return { content: toJson(decodeCbor(payload, MAX_PAYLOAD_BYTES)) };
  } catch {
    return null;
  }
}

/** CBOR as JSON: byte strings are `{"$bytes": base64url}`, and a map that looks like one is wrapped in `$map`. */
export function toJson(value: CborValue): JsonValue {
  if (value instanceof Uint8Array) return { [BYTES]: toBase64Url(value) };
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value as JsonValue;
  const json = Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toJson(item)]));
  return isMarked(json) ? { [MAP]: json } : json;
}

/** Undoes `toJson`; `null` for what it cannot have made. */
export function fromJson(json: JsonValue, depth: number = MAX_DEPTH): { readonly value: CborValue } | null {
  if (typeof json !== 'object' || json === null) return { value: json };
  if (depth === 0) return null;
  if (Array.isArray(json)) {
    const items = (json as readonly JsonValue[]).map((item) => fromJson(item, depth - 1));
    return items.includes(null) ? null : { value: items.map((item) => (item as { value: CborValue }).value) };
  }
  const map = json as { readonly [name: string]: JsonValue };
  if (!isMarked(map)) return mapFrom(map, depth);
  const inner = map[MAP];
  if (typeof inner === 'object' && inner !== null && !Array.isArray(inner))
    return mapFrom(inner as typeof map, depth);
  const bytes = typeof map[BYTES] === 'string' ? fromBase64Url(map[BYTES]) : null;
  return bytes === null ? null : { value: bytes };
}

const BYTES = '$bytes';
const MAP = '$map';

function isMarked(map: { readonly [name: string]: JsonValue }): boolean {
  const names = Object.keys(map);
  return names.length === 1 && (names[0] === BYTES || names[0] === MAP);
}

function mapFrom(
  map: { readonly [name: string]: JsonValue },
  depth: number,
): { readonly value: CborValue } | null {
  const entries: [string, CborValue][] = [];
  for (const [name, item] of Object.entries(map)) {
    const read = fromJson(item, depth - 1);
    if (read === null) return null;
    entries.push([name, read.value]);
  }
  return { value: Object.fromEntries(entries) };
}
