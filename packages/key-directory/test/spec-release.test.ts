import { decodeCbor, encodeCbor } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  createExportStatement,
  parseDeletionStatement,
  parseExportStatement,
  signDeletionStatement,
  verifyDeletionStatement,
  verifyExportStatement,
  type Device,
} from '@keytide/key-directory';
import { describe, expect, test } from 'vitest';
import { BOB, state } from './spec-log.ts';
import { specExample } from './spec-page.ts';

const filled = (byte: number, sizeBytes = 32): Uint8Array => new Uint8Array(sizeBytes).fill(byte);
const { org, everyone: group } = state;
const exporter = [...state.devices.values()].find(({ member }) => member === BOB) as Device;
const bob = primitives.signer(filled(0x03));
const relay = primitives.signer(filled(0x09));
const exported = {
  ...{ org, group, throughSeq: 1_000, root: filled(0x4e), device: exporter.id },
  exportedMs: Date.UTC(2026, 0, 20),
};
const gone = {
  ...{ org, group, firstSeq: 1, lastSeq: 1_000, root: filled(0x4e) },
  deletedMs: Date.UTC(2026, 1, 1),
};
const whose = { org, relayKey: relay.publicKey };
const code = (name: string) => expect.objectContaining({ code: name });

describe('docs/spec/release.md', () => {
  test('what a device has exported', () => {
    const example = specExample('release', 'export-statement');
    expect(example).toEqual(createExportStatement(primitives, bob, exported));
    expect(verifyExportStatement(primitives, state, example)).toEqual(exported);
    expect(parseExportStatement(example)).toEqual(exported);
  });

  test('what a relay has forgotten', () => {
    const example = specExample('release', 'deletion-statement');
    expect(example).toEqual(signDeletionStatement(primitives, relay, gone));
    expect(verifyDeletionStatement(primitives, whose, example)).toEqual(gone);
    expect(parseDeletionStatement(example)).toEqual(gone);
  });
});

/** A statement with other signed bytes. */
function changed(wire: Uint8Array, change: (fields: unknown[]) => unknown[]): Uint8Array {
  const [bytes, signature] = decodeCbor(wire, 512) as [Uint8Array, Uint8Array];
  return encodeCbor([encodeCbor(change([...(decodeCbor(bytes, 512) as unknown[])]) as never), signature]);
}

describe.each([
  [
    'an export',
    createExportStatement(primitives, bob, exported),
    (wire: Uint8Array) => verifyExportStatement(primitives, state, wire),
  ],
  [
    'a deletion',
    signDeletionStatement(primitives, relay, gone),
    (wire: Uint8Array) => verifyDeletionStatement(primitives, whose, wire),
  ],
])('the statement of %s is refused', (_, wire, verify: (wire: Uint8Array) => unknown) => {
  test('with any byte changed', () => {
    for (let i = 0; i < wire.length; i += 1)
      expect(() => verify(wire.with(i, (wire[i] as number) ^ 1)), `${i}`).toThrow(
        expect.objectContaining({ name: 'DirectoryError' }),
      );
  });

  test('of a version to come, too long, or none', () => {
    const refused = (bad: Uint8Array, name: string) => expect(() => verify(bad)).toThrow(code(name));
    refused(
      changed(wire, ([, ...rest]) => [2, ...rest]),
      'unsupported-version',
    );
    refused(
      changed(wire, ([, ...rest]) => [2, 'of another form', ...rest]),
      'unsupported-version',
    );
    refused(
      changed(wire, ([, ...rest]) => ['1', ...rest]),
      'malformed',
    );
    refused(
      changed(wire, (fields) => fields.slice(1)),
      'malformed',
    );
    refused(
      changed(wire, (fields) => [...fields, 1]),
      'malformed',
    );
    refused(filled(0, 513), 'too-large');
    refused(encodeCbor([]), 'malformed');
    refused(encodeCbor(1), 'malformed');
  });
});

test('a deletion ends after it begins', () => {
  const wire = signDeletionStatement(primitives, relay, { ...gone, firstSeq: 1_001 });
  expect(() => verifyDeletionStatement(primitives, whose, wire)).toThrow(code('malformed'));
});
