import { decodeCbor, encodeCbor, type CborValue } from '@keytide/crypto-core';
import fc from 'fast-check';

/** One change: which, where, and two numbers for it to use as it likes. */
type Step = readonly [change: number, at: number, first: number, second: number];

/** Inputs near `corpus`: one to four changes of one of them, or now and then nothing but random bytes. */
export function mutationsOf(corpus: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const number = fc.nat();
  const step = fc.tuple(fc.nat(CHANGES.length - 1), number, number, number);
  const near = fc
    .tuple(fc.nat(corpus.length - 1), fc.array(step, { minLength: 1, maxLength: 4, size: 'max' }))
    .map(([start, steps]) => steps.reduce((input, next) => change(input, next, corpus), at(corpus, start)));
  return fc.oneof(
    { weight: 19, arbitrary: near },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  );
}

type Change = (input: Uint8Array, step: Step, corpus: readonly Uint8Array[]) => Uint8Array;

/** The changes that look at bytes, then those that know CBOR; the latter reach the checks behind the form. */
const CHANGES: readonly Change[] = [
  (input, [, where, bit]) => patched(input, where, (old) => Uint8Array.of(old ^ (1 << (bit & 7)))),
  (input, [, where, byte]) => patched(input, where, () => Uint8Array.of(byte & 0xff)),
  (input, [, where]) => input.slice(0, where % (input.length + 1)),
  (input, [, where, first]) => inserted(input, where, at(INTERESTING, first)),
  (input, [, where, first, size]) => {
    const from = first % (input.length + 1);
    return inserted(input, where, input.subarray(from, from + (size % 64)));
  },
  (input, [, where, size]) => {
    const from = where % (input.length + 1);
    return joined(input.subarray(0, from), input.subarray(from + 1 + (size % 16)));
  },
  (input, [, where, first, other], corpus) => {
    const end = at(corpus, other);
    return joined(input.subarray(0, where % (input.length + 1)), end.subarray(first % (end.length + 1)));
  },
  // Eight, four or two bytes of a length, a number or a time.
  (input, [, where, first]) => {
    const number = at(NUMBERS, first);
    const from = where % (input.length + 1);
    return joined(input.subarray(0, from), number, input.subarray(from + number.length));
  },
  inflated,
  (input, [, where, first, count]) => {
    const opener = at(OPENERS, first);
    return inserted(input, where, new Uint8Array(count % 8 === 0 ? 20_000 : count % 200).fill(opener));
  },
  ...Array.from({ length: 8 }, () => replanted),
];

/** What decoders have been wrong about before: floats that are no number, tags, endless and longer forms. */
const INTERESTING: readonly Uint8Array[] = [
  [0xf9, 0x7e, 0x00], // NaN in three widths, a NaN with a payload
  [0xfa, 0x7f, 0xc0, 0x00, 0x00],
  [0xfb, 0x7f, 0xf8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0xf9, 0x7e, 0x01],
  [0xf9, 0x7c, 0x00], // infinities, minus zero, one
  [0xf9, 0xfc, 0x00],
  [0xf9, 0x80, 0x00],
  [0xf9, 0x3c, 0x00],
  [0xfb, 0x3f, 0xf8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00], // 1.5 in the longest form
  [0xf7], // undefined, break, a simple value, tags
  [0xff],
  [0xf8, 0x20],
  [0xc0],
  [0xc2, 0x41, 0x01],
  [0x9f], // indefinite lengths
  [0xbf],
  [0x5f],
  [0x7f],
  [0x18, 0x17], // integers in longer forms, and beyond 2^53
  [0x19, 0x00, 0xff],
  [0x1b, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // sizes of everything there is
  [0x5a, 0xff, 0xff, 0xff, 0xff],
  [0x7a, 0xff, 0xff, 0xff, 0xff],
  [0x9a, 0xff, 0xff, 0xff, 0xff],
  [0xba, 0xff, 0xff, 0xff, 0xff],
  [0x63, 0xed, 0xa0, 0x80], // a surrogate, an overlong slash, a key that is a prototype
  [0x62, 0xc0, 0xaf],
  [0x69, 0x5f, 0x5f, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x5f, 0x5f],
  [0x80],
  [0xa0],
  [0x00],
  [0x20, 0x09, 0x0a], // spaces
  [0x22],
  [0x23],
].map((bytes) => Uint8Array.from(bytes));

const NUMBERS: readonly Uint8Array[] = [
  'ffffffffffffffff',
  '7fffffffffffffff',
  '001fffffffffffff',
  '0020000000000000',
  '0000000100000000',
  'ffffffff',
  '80000000',
  '7fffffff',
  '00000000',
  'ffff',
  '0001',
].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')));

/** One more level, or many: an array of one, an endless array, a map of one, a tag. */
const OPENERS = [0x81, 0x9f, 0xa1, 0xc1];

/** Takes a byte for a CBOR head and writes its number in a longer form, or one that is far too large. */
function inflated(input: Uint8Array, [, where, first, second]: Step): Uint8Array {
  return patched(input, where, (head) => {
    const width = [1, 2, 4, 8][first % 4] as number;
    const written = new Uint8Array(1 + width).fill(second & 1 ? 0xff : 0);
    written[0] = (head & 0xe0) | (24 + (first % 4));
    if ((second & 1) === 0) written[width] = head & 0x1f;
    return written;
  });
}

/** Changes one node of the CBOR tree that the input is, also inside byte strings that are CBOR, and encodes it. */
function replanted(input: Uint8Array, [, where, first, second]: Step): Uint8Array {
  const root = decoded(input);
  if (root === null) return patched(input, where, () => Uint8Array.of(second & 0xff));
  const walk = { left: where % countNodes(root), first, second };
  return encodeCbor(replaced(root, walk));
}

function countNodes(node: CborValue): number {
  return 1 + childrenOf(node).reduce<number>((sum, child) => sum + countNodes(child), 0);
}

function childrenOf(node: CborValue): readonly CborValue[] {
  const inner = node instanceof Uint8Array ? decoded(node) : node;
  if (Array.isArray(inner)) return inner as readonly CborValue[];
  return inner !== null && typeof inner === 'object' && !(inner instanceof Uint8Array)
    ? Object.values(inner)
    : [];
}

function replaced(node: CborValue, walk: { left: number; first: number; second: number }): CborValue {
  if (walk.left === 0) {
    walk.left = -1;
    return altered(node, walk);
  }
  walk.left -= 1;
  const inner = node instanceof Uint8Array ? decoded(node) : node;
  if (inner === null || typeof inner !== 'object' || inner instanceof Uint8Array) return node;
  const next = Array.isArray(inner)
    ? inner.map((child) => (walk.left < 0 ? child : replaced(child, walk)))
    : Object.fromEntries(
        Object.entries(inner).map(([key, child]) => [key, walk.left < 0 ? child : replaced(child, walk)]),
      );
  return node instanceof Uint8Array ? encodeCbor(next) : next;
}

const VALUES: readonly CborValue[] = [
  0,
  1,
  2,
  -1,
  23,
  2 ** 32 - 1,
  2 ** 32,
  Number.MAX_SAFE_INTEGER,
  8_640_000_000_000_001,
  0.5,
  '',
  'admin',
  '\u202e',
  'x'.repeat(300),
  new Uint8Array(0),
  new Uint8Array(16),
  new Uint8Array(31),
  new Uint8Array(32),
  new Uint8Array(33),
  new Uint8Array(64),
  new Uint8Array(5000),
  [],
  [[]],
  {},
  { blockSeconds: 1 },
  null,
  true,
  false,
];

/** Another node in the place of this one: near it, or any. */
function altered(node: CborValue, { first, second }: { first: number; second: number }): CborValue {
  if (first % 3 === 0) return at(VALUES, second);
  if (typeof node === 'number') return Number.isSafeInteger(node + 1) ? node + (second & 1 ? 1 : -1) : 0.25;
  if (typeof node === 'string') return second & 1 ? `${node}\u00fc` : Array.from(node).slice(1).join('');
  if (node instanceof Uint8Array) {
    if (second % 3 === 0) return node.slice(0, -1);
    return second % 3 === 1
      ? inserted(node, first, Uint8Array.of(0))
      : change(node, [0, first, second, 0], []);
  }
  if (!Array.isArray(node) || node.length === 0) return node === true ? false : [node];
  const items = [...(node as readonly CborValue[])];
  const index = first % items.length;
  if (second % 4 === 0) items.splice(index, 1);
  else if (second % 4 === 1) items.splice(index, 0, items[index] as CborValue);
  else if (second % 4 === 2) items.push(at(VALUES, first));
  else items.reverse();
  return items;
}

function change(input: Uint8Array, step: Step, corpus: readonly Uint8Array[]): Uint8Array {
  return (CHANGES[step[0]] as Change)(input, step, corpus);
}

function decoded(bytes: Uint8Array): CborValue {
  // Nearly all that is not CBOR is known by its first byte: every format of ours is an array or a map.
  const first = bytes[0] ?? 0;
  if (first < 0x80 || first > 0xbf || bytes.length > 16_384) return null;
  try {
    return decodeCbor(bytes, bytes.length);
  } catch {
    return null;
  }
}

/** Writes something else in the place of one byte. */
function patched(input: Uint8Array, where: number, write: (old: number) => Uint8Array): Uint8Array {
  const from = input.length === 0 ? 0 : where % input.length;
  return joined(input.subarray(0, from), write(input[from] ?? 0), input.subarray(from + 1));
}

function inserted(input: Uint8Array, where: number, bytes: Uint8Array): Uint8Array {
  const from = where % (input.length + 1);
  return joined(input.subarray(0, from), bytes, input.subarray(from));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function at<T>(choices: readonly T[], index: number): T {
  return choices[index % choices.length] as T;
}
