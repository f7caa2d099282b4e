import { decodeCbor, encodeCbor, signBytes, toHex, type CborValue } from '@keytide/crypto-core';
import {
  encodeEntry,
  encodeEntryWire,
  MAX_ENTRY_BYTES,
  parseEntry,
  type EntrySignature,
} from '@keytide/key-directory';
import type { SeededDevice } from '@keytide/testkit';
import { describe, expect, test } from 'vitest';
import { codeFrom, refusal } from './forge.ts';
import { eventfulWorld, everyKindWorld } from './history.ts';

const world = eventfulWorld('entry');
const { primitives, wires } = world;
const wire = wires.at(-1) as Uint8Array;
const entry = parseEntry(primitives, wire);

/** An entry's fields as CBOR values, changed and put together again; the signature does not matter here. */
function withFields(change: (fields: CborValue[]) => void, of: Uint8Array = wire): Uint8Array {
  const [bytes, signatures] = decodeCbor(of, MAX_ENTRY_BYTES) as [Uint8Array, CborValue];
  const fields = decodeCbor(bytes, MAX_ENTRY_BYTES) as CborValue[];
  change(fields);
  return encodeCbor([encodeCbor(fields), signatures]);
}

const codeOf = (bytes: Uint8Array): string | null => codeFrom(() => parseEntry(primitives, bytes));

describe('the codec', () => {
  test('gives back the bytes of every kind of entry', () => {
    for (const each of everyKindWorld('codec').wires) {
      const read = parseEntry(primitives, each);
      const bytes = encodeEntry(read);
      expect(toHex(bytes)).toBe(toHex(read.bytes));
      const signatures = [{ device: read.author, signature: read.signature }];
      expect(toHex(encodeEntryWire(bytes, signatures))).toBe(toHex(each));
    }
  });

  test('the untouched fields pass', () => {
    expect(codeOf(withFields(() => {}))).toBe(null);
  });

  test.each<[string, number, CborValue]>([
    ['organisation', 1, new Uint8Array(31)],
    ['index', 2, -1],
    ['index as text', 2, '3'],
    ['previous hash', 3, new Uint8Array(33)],
    ['time before 1970', 4, -1],
    ['time beyond any date', 4, 8_640_000_000_000_001],
    ['half a millisecond', 4, 0.5],
    ['author', 5, new Uint8Array(32)],
    ['kind', 6, 7],
    ['body', 7, null],
    ['too much of a body', 7, [new Uint8Array(16), 1]],
    ['too little of a body', 7, []],
    ['a wrong body', 7, [new Uint8Array(17)]],
  ])('a wrong %s is malformed', (_, at, value) => {
    expect(codeOf(withFields((fields) => fields.splice(at, 1, value)))).toBe('malformed');
  });

  test('a field more or less is malformed', () => {
    expect(codeOf(withFields((fields) => fields.push(0)))).toBe('malformed');
    expect(codeOf(withFields((fields) => fields.pop()))).toBe('malformed');
  });

  test('a later version, or a kind from it, asks for an update', () => {
    expect(codeOf(withFields((fields) => fields.splice(0, 1, 2)))).toBe('unsupported-version');
    expect(codeOf(withFields((fields) => fields.splice(6, 1, 'merge')))).toBe('unsupported-version');
    expect(codeOf(withFields((fields) => fields.splice(6, 1, 'constructor')))).toBe('unsupported-version');
  });

  test('the genesis is entry 0, and entry 0 the genesis, and it names nothing before it', () => {
    const genesis = wires[0] as Uint8Array;
    expect(codeOf(withFields((fields) => fields.splice(2, 1, 1), genesis))).toBe('malformed');
    expect(codeOf(withFields((fields) => fields.splice(2, 1, 0)))).toBe('malformed');
    const something = new Uint8Array(32).fill(1);
    expect(codeOf(withFields((fields) => fields.splice(1, 1, something), genesis))).toBe('malformed');
    expect(codeOf(withFields((fields) => fields.splice(3, 1, something), genesis))).toBe('malformed');
  });

  test('more than 64 KiB is not looked at', () => {
    expect(codeOf(new Uint8Array(MAX_ENTRY_BYTES + 1))).toBe('too-large');
  });

  test('bytes after the end, and other forms of the same values, are malformed', () => {
    expect(codeOf(new Uint8Array([...wire, 0]))).toBe('malformed');
    expect(codeOf(new Uint8Array())).toBe('malformed');
    // The outer array of two with its length in an extra byte.
    expect(codeOf(new Uint8Array([0x98, 0x02, ...wire.slice(1)]))).toBe('malformed');
  });
});

describe('signatures and approvals', () => {
  const author = { device: entry.author, signature: entry.signature };
  const others = world.members
    .flatMap(({ devices }) => devices.map(({ id }) => ({ device: id, signature: new Uint8Array(64) })))
    .filter(({ device }) => device !== entry.author)
    .toSorted((a, b) => (a.device < b.device ? -1 : 1));
  const [first, second] = others as [(typeof others)[0], (typeof others)[0]];
  const codeWith = (...signatures: (typeof author)[]): string | null =>
    codeOf(encodeEntryWire(entry.bytes, signatures));

  test('the author comes first, the others sorted and once', () => {
    expect(codeWith(author, first, second)).toBe(null);
    expect(codeWith()).toBe('malformed');
    expect(codeWith(first, author)).toBe('malformed');
    expect(codeWith(author, second, first)).toBe('malformed');
    expect(codeWith(author, first, first)).toBe('malformed');
    expect(codeWith(author, author)).toBe('malformed');
    expect(codeWith({ ...author, signature: new Uint8Array(63) })).toBe('malformed');
  });

  test('approvals that nobody asked for are refused, so nobody can vary an entry with them', () => {
    const fresh = eventfulWorld('approvals');
    const role = fresh.members[1]?.id as never;
    const bytes = encodeEntry({
      org: fresh.org,
      index: fresh.state.size,
      previousHash: fresh.state.headHash,
      timeMs: fresh.clock.now(),
      author: fresh.members[0].devices[0].id,
      body: { kind: 'role', member: role, role: 'exporter' },
    });
    const [founder, admin] = [fresh.members[0].devices[0], fresh.members[0].devices[1] as SeededDevice];
    const sign = ({ id, signer }: SeededDevice): EntrySignature => {
      return { device: id, signature: signBytes(fresh.primitives, signer, 'entrySignature', bytes) };
    };
    expect(refusal(fresh, encodeEntryWire(bytes, [sign(founder)]))).toBe(null);
    expect(refusal(fresh, encodeEntryWire(bytes, [sign(founder), sign(admin)]))).toBe('bad-approval');
  });
});
