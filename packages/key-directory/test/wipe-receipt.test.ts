import { decodeCbor, encodeCbor } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { parseWipeReceipt, replay, verifyWipeReceipt, type Device } from '@keytide/key-directory';
import { describe, expect, test } from 'vitest';
import { afterWipe, bobsDevice, receipt, state, wipe, wires } from './spec-log.ts';
import { specExample } from './spec-page.ts';

const { org } = state;
const device = afterWipe.devices.get(bobsDevice.id) as Device;
const order = { org, device, wire: wipe };

/** The receipt with another byte string in place of what was signed. */
function withBytes(change: (fields: unknown[]) => unknown[]): Uint8Array {
  const [bytes, signature] = decodeCbor(receipt, 256) as [Uint8Array, Uint8Array];
  return encodeCbor([encodeCbor(change([...(decodeCbor(bytes, 256) as unknown[])]) as never), signature]);
}

describe('docs/spec/wipe.md', () => {
  test('the order continues the log of the membership log’s page, and the receipt is about it', () => {
    expect(specExample('wipe', 'order')).toEqual(wipe);
    expect(specExample('wipe', 'receipt')).toEqual(receipt);
    expect(replay(primitives, [...Object.values(wires), specExample('wipe', 'order')]).root).toEqual(
      afterWipe.root,
    );
    expect(verifyWipeReceipt(primitives, order, specExample('wipe', 'receipt'))).toEqual(
      parseWipeReceipt(receipt),
    );
    expect(parseWipeReceipt(receipt)).toMatchObject({ org, device: device.id, order: state.size });
  });
});

describe('a receipt is refused', () => {
  const refused = (wire: Uint8Array, changes: object = {}) =>
    expect(() => verifyWipeReceipt(primitives, { ...order, ...changes }, wire));

  test('with any byte changed', () => {
    for (let i = 0; i < receipt.length; i += 1) {
      const bad = receipt.slice();
      bad[i] = (bad[i] as number) ^ 1;
      refused(bad).toThrow();
    }
  });

  test.each<[string, string, object]>([
    ['of another organisation', 'wrong-organisation', { org: 'ab'.repeat(32) }],
    ['of another device', 'unknown-device', { device: { ...device, id: 'ab'.repeat(32) } }],
    [
      'by another device’s key',
      'bad-signature',
      {
        device: { ...device, signingPublicKey: primitives.signer(new Uint8Array(32).fill(1)).publicKey },
      },
    ],
    ['of a device that nobody ordered to', 'bad-proof', { device: { ...device, wipedAt: null } }],
    ['of an order elsewhere in the log', 'bad-proof', { device: { ...device, wipedAt: 2 } }],
    ['of another entry in that place', 'bad-proof', { wire: wires.role }],
  ])('%s', (_, code, changes) => refused(receipt, changes).toThrow(expect.objectContaining({ code })));

  test('that is none, too long, or of a version to come', () => {
    refused(Uint8Array.of(0x80)).toThrow(expect.objectContaining({ code: 'malformed' }));
    refused(new Uint8Array(257)).toThrow(expect.objectContaining({ code: 'too-large' }));
    refused(withBytes(([, ...rest]) => [2, ...rest])).toThrow(
      expect.objectContaining({ code: 'unsupported-version' }),
    );
    refused(withBytes((fields) => fields.slice(1))).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});
