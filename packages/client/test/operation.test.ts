import { decodeCbor, encodeCbor, type CborValue } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { encodeOperation, parseOperation } from '../src/operation.ts';

const operation = {
  act: 'edit',
  collection: 'requests',
  item: 'ab'.repeat(32),
  time: { ms: 7, counter: 0 },
  body: { title: 'x' },
} as const;
const values = decodeCbor(encodeOperation(operation), 1000) as CborValue[];

/** The operation with another value in this place, or with one more. */
function changed(place: number, value: CborValue): Uint8Array {
  return encodeCbor(Object.assign([...values], { [place]: value }));
}

test('a later build’s operation is told from one that is none', () => {
  expect(parseOperation(encodeOperation(operation), Infinity)).toEqual(operation);
  for (const later of [changed(0, 2), changed(1, 4), encodeCbor([2]), encodeCbor([1, 9, 'anything'])])
    expect(parseOperation(later, Infinity)).toBe('unknown-act');
  const none = [changed(0, 0), changed(1, -1), changed(1, '9'), changed(4, -1), changed(5, 2 ** 32)];
  for (const bytes of [...none, changed(6, 'x'), changed(7, 0), encodeCbor({}), new Uint8Array(0)])
    expect(parseOperation(bytes, Infinity)).toBe('malformed');
});
