import { describe, expect, test } from 'vitest';
import {
  asciiBytes,
  boxChannel,
  concatBytes,
  isSameSafetyNumber,
  memoryKeyStore,
  pairwiseEndpoint,
  safetyNumber,
  sealingKeyId,
  toHex,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { createBundle, verifyBundle } from '../src/libsignal/bundle.ts';
import { encodeNotice, parseNotice } from '../src/libsignal/notice.ts';
import { encodeContent, parseContent } from '../src/libsignal/session-wire.ts';
import { keepNothing } from './pairwise-world.ts';
import { specExample, specPage } from './spec-page.ts';
import { alice, BLOCK_START_MS, bob, filled, org } from './spec-world.ts';

describe('docs/spec/pairwise.md', () => {
  const example = (name: string) => specExample('pairwise', name);
  const recordOf = (device: typeof alice) => ({ signingPublicKey: device.signer.publicKey, abilities: 0 });
  const pair = { org, sender: alice.id, recipient: bob.id };

  test('box: opens', async () => {
    const endpoint = pairwiseEndpoint({
      primitives,
      random: nodeRandom,
      org,
      store: memoryKeyStore(),
      signer: bob.signer,
      record: recordOf(bob),
      sealingKey: (keyId) =>
        keyId === sealingKeyId(primitives, bob.decapsulator.publicKey) ? bob.decapsulator : null,
    });
    const channel = boxChannel(endpoint, { record: recordOf(alice), encapsulator: alice.encapsulator });
    expect(await channel.open(example('box'), keepNothing)).toEqual(asciiBytes('hello'));
  });
  test('content of a session message', () => {
    const content = { id: filled(0x5a, 16), original: null, plaintext: asciiBytes('hello') };
    expect(toHex(encodeContent(primitives, pair, content))).toBe(toHex(example('content')));
    expect(parseContent(primitives, pair, example('content'))).toEqual(content);
  });
  test('bundle', () => {
    const owner = { org, device: bob.id };
    const ecKey = (byte: number) => concatBytes(Uint8Array.of(5), filled(byte, 32));
    const bundle = {
      createdMs: BLOCK_START_MS,
      notAfterMs: BLOCK_START_MS + 60 * 86_400_000,
      registrationId: 7,
      identityKey: ecKey(0x11),
      id: 1,
      signedPreKey: ecKey(0x12),
      signedPreKeySignature: filled(0x13, 64),
      kyberPreKey: concatBytes(Uint8Array.of(8), filled(0x14, 1568)),
      kyberPreKeySignature: filled(0x15, 64),
    };
    expect(toHex(createBundle(primitives, bob.signer, owner, bundle))).toBe(toHex(example('bundle')));
    expect(verifyBundle(primitives, bob.verifier, owner, example('bundle'))).toEqual(bundle);
  });
  test('notice', () => {
    const notice = { received: [filled(0xa1, 32)], lost: [filled(0xa2, 32)] };
    expect(toHex(encodeNotice(notice))).toBe(toHex(example('notice')));
    expect(parseNotice(example('notice'))).toEqual(notice);
  });
  test('safety number', () => {
    const [, digits] = specPage('pairwise').match(/```text digits\n(.*)\n```/) ?? [];
    const keys = [alice, bob].map(({ signer }) => [signer.publicKey]) as [Uint8Array[], Uint8Array[]];
    const number = safetyNumber(primitives, org, ...keys);
    expect(number.digits).toBe(digits);
    expect(number.scannable).toEqual(example('scannable'));
    const bobs = safetyNumber(primitives, org, keys[1], keys[0]);
    expect(isSameSafetyNumber(bobs, example('scannable'))).toBe(true);
  });
});
