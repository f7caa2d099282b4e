import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ABILITY_LIBSIGNAL,
  createSealingRecord,
  deviceId,
  deviceIdOf,
  encodeCbor,
  encodeDeviceRecord,
  idBytes,
  memberId,
  parseDeviceRecord,
  parseSealingRecord,
  signBytes,
  verifySealingRecord,
  type CborValue,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { codeOf } from './code-of.ts';
import { seededRandom } from './seeded-random.ts';
import { makeDevice } from './world.ts';

const random = seededRandom('device-record');
const device = makeDevice(random);
const other = makeDevice(random);
const record = {
  device: device.id,
  publicKey: device.encapsulator.publicKey,
  notBeforeMs: 1000,
  notAfterMs: 2000,
};
const wire = createSealingRecord(primitives, device.signer, record);

describe('ids', () => {
  test('are checked, from hex and from bytes', () => {
    expect(idBytes(device.id)).toHaveLength(32);
    expect(deviceId(idBytes(device.id))).toBe(device.id);
    expect(deviceId(String(device.id))).toBe(device.id);
    expect(deviceIdOf(primitives, device.signer.publicKey)).toBe(device.id);
    for (const wrong of ['', 'ab', device.id.toUpperCase(), `${device.id}00`, new Uint8Array(31)])
      expect(codeOf(() => deviceId(wrong))).toBe('malformed');
    expect(codeOf(() => memberId(new Uint8Array(32)))).toBe('malformed');
  });
});

describe('device record', () => {
  const { publicKey } = device.signer;
  test('round trip', () => {
    const written = { signingPublicKey: publicKey, abilities: ABILITY_LIBSIGNAL };
    expect(parseDeviceRecord(encodeDeviceRecord(written))).toEqual(written);
  });
  test.each<[string, CborValue, string]>([
    ['another version', [2, 1, publicKey, 0], 'unsupported-version'],
    ['another suite', [1, 2, publicKey, 0], 'unsupported-version'],
    ['a short key', [1, 1, publicKey.subarray(1), 0], 'malformed'],
    ['a negative ability', [1, 1, publicKey, -1], 'malformed'],
    ['abilities over 32 bits', [1, 1, publicKey, 2 ** 32], 'malformed'],
    ['a field too many', [1, 1, publicKey, 0, 0], 'malformed'],
    ['a map', { a: 1 }, 'malformed'],
    ['too many bytes', [1, 1, new Uint8Array(200), 0], 'too-large'],
  ])('refuses %s', (_, value, code) => {
    expect(codeOf(() => parseDeviceRecord(encodeCbor(value)))).toBe(code);
  });
});

describe('sealing record', () => {
  const signed = (fields: CborValue) => {
    const bytes = encodeCbor(fields);
    return encodeCbor([bytes, signBytes(primitives, device.signer, 'sealingRecordSignature', bytes)]);
  };
  const fields = [1, idBytes(device.id), record.publicKey, 1000, 2000] as const;

  test('round trip', () => {
    expect(verifySealingRecord(primitives, device.verifier, wire)).toEqual(record);
    expect(parseSealingRecord(wire)).toEqual(record);
    expect(signed([...fields])).toEqual(wire);
  });
  test('refuses any altered byte', () => {
    fc.assert(
      fc.property(fc.nat(wire.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const altered = wire.slice();
        altered[at] = (altered[at] as number) ^ mask;
        expect(codeOf(() => verifySealingRecord(primitives, device.verifier, altered))).not.toBeNull();
      }),
    );
  });
  test('refuses the signature of another device, and a record about another device', () => {
    expect(codeOf(() => verifySealingRecord(primitives, other.verifier, wire))).toBe('bad-signature');
    const about = createSealingRecord(primitives, device.signer, { ...record, device: other.id });
    expect(codeOf(() => verifySealingRecord(primitives, device.verifier, about))).toBe('wrong-context');
  });
  test.each<[string, CborValue, string]>([
    ['another version', [2, ...fields.slice(1)], 'unsupported-version'],
    ['an end before the start', [...fields.slice(0, 4), 1000], 'malformed'],
    ['a short key', [1, fields[1], record.publicKey.subarray(1), 1000, 2000], 'malformed'],
    ['a key that is none', [1, fields[1], record.publicKey.map(() => 0xff), 1000, 2000], 'bad-key'],
    ['a time that is text', [...fields.slice(0, 4), '2000'], 'malformed'],
    ['a time that is a fraction', [...fields.slice(0, 4), 2000.5], 'malformed'],
  ])('refuses %s, though it is signed', (_, value, code) => {
    expect(codeOf(() => verifySealingRecord(primitives, device.verifier, signed(value)))).toBe(code);
  });
});
