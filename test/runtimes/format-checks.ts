import {
  asciiBytes,
  createSealingRecord,
  decodeCbor,
  encodeCbor,
  encodeDeviceRecord,
  labelledHash,
  openBox,
  openEpoch,
  openEpochBox,
  openMessage,
  parseEpochStatement,
  sealBox,
  sealMessage,
  Secret,
  signBytes,
  toHex,
  verifyEpochStatement,
  verifySealingRecord,
  type Primitives,
} from '@keytide/crypto-core';
import { expectBytes, expectEqual, outcomeOf, type Checks } from './checks.ts';
import { BLOCK_END_MS, BLOCK_START_MS, exampleWorld, filled } from './example-world.ts';

/** The bytes of an example, by page and name ('envelope/digest'). */
export type Examples = (name: string) => Uint8Array;

/** Makes every example of docs/spec that has no fresh randomness, opens those that have, and goes round. */
export async function checkFormats(
  checks: Checks,
  primitives: Primitives,
  example: Examples,
): Promise<Record<string, string>> {
  const { alice, bob, directory, input, createEpoch } = exampleWorld(primitives);
  const made: Record<string, string> = {};

  await checks.run('encoding', () => {
    const value = [1, -1, 'ü', filled(0xff, 3), { b: true, aa: null }];
    expectBytes(encodeCbor(value), example('encoding/cbor'));
    expectBytes(encodeCbor(decodeCbor(example('encoding/cbor'), 100)), example('encoding/cbor'));
    const id = labelledHash(primitives, 'deviceId', alice.signer.publicKey);
    expectBytes(id, example('encoding/labelled-hash'));
    const signature = signBytes(primitives, alice.signer, 'login', asciiBytes('hello'));
    expectBytes(signature, example('encoding/signature'));
  });

  await checks.run('primitives', () => {
    const [key, hello] = [filled(0x01, 32), asciiBytes('hello')];
    expectBytes(primitives.signer(key).sign(hello), example('primitives/signature'));
    const secret = primitives.decapsulator(filled(0x02, 32)).decapsulate(filled(0x09, 1120));
    expectBytes(secret, example('primitives/x-wing-secret'));
    const call = { key, nonce: filled(0, 12), associated: asciiBytes('ad') };
    expectBytes(primitives.aeadSeal({ ...call, data: hello }), example('primitives/aead'));
    expectBytes(primitives.aeadOpen({ ...call, data: example('primitives/aead') }), hello);
    expectBytes(primitives.hmacSha256(key, hello), example('primitives/hmac'));
  });

  await checks.run('device and sealing records', () => {
    const record = encodeDeviceRecord({ signingPublicKey: alice.signer.publicKey, abilities: 1 });
    expectBytes(record, example('keys-and-sealing/device-record'));
    const wire = createSealingRecord(primitives, alice.signer, {
      device: alice.id,
      publicKey: alice.decapsulator.publicKey,
      notBeforeMs: BLOCK_START_MS,
      notAfterMs: BLOCK_END_MS,
    });
    expectBytes(wire, example('keys-and-sealing/sealing-record'));
    expectEqual(verifySealingRecord(primitives, alice.verifier, wire).device, alice.id);
  });

  await checks.run('sealed box', () => {
    const context = asciiBytes('an example');
    const opened = openBox(primitives, bob.decapsulator, context, example('keys-and-sealing/box'));
    expectBytes(opened, asciiBytes('for Bob'));
    const box = sealBox(primitives, bob.encapsulator, context, asciiBytes('for Bob'));
    expectBytes(openBox(primitives, bob.decapsulator, context, box), asciiBytes('for Bob'));
    expectEqual(
      outcomeOf(() => openBox(primitives, alice.decapsulator, context, box)),
      'decryption-failed',
    );
    made['box'] = toHex(box);
  });

  await checks.run('epoch statement and its boxes', async () => {
    const created = await createEpoch();
    expectBytes(created.statement, example('epoch-statement/statement'));
    expectBytes(created.hash, example('epoch-statement/statement-hash'));
    const statement = parseEpochStatement(primitives, created.statement);
    verifyEpochStatement(primitives, statement, {
      org: input.org,
      group: input.group,
      previous: { epoch: 1, hash: filled(0xf1, 32), createdMs: BLOCK_START_MS },
      authorVerifier: alice.verifier,
      blockMs: BLOCK_END_MS - BLOCK_START_MS,
      recipients: [alice, bob].map(({ id }) => ({ device: id })),
    });
    const own = created.boxes.find(({ device }) => device === bob.id)?.box ?? filled(0, 1);
    for (const box of [own, example('epoch-statement/box')]) {
      const key = openEpochBox(primitives, [bob.decapsulator], statement, bob.id, box);
      expectBytes(
        key.use((bytes) => bytes.slice()),
        filled(0xe1, 32),
      );
    }
    made['epochBox'] = toHex(own);
  });

  await checks.run('envelope', () => {
    const statement = parseEpochStatement(primitives, example('epoch-statement/statement'));
    const devices = [alice, bob].map(({ id, verifier }) => ({ device: id, verifier }));
    const opened = () => openEpoch({ primitives, statement, key: Secret.own(filled(0xe1, 32)), devices });
    const sealed = sealMessage(opened(), {
      signer: alice.signer,
      sender: alice.id,
      channel: filled(0xc1, 16),
      counter: 3,
      previousLink: filled(0x1a, 32),
      heads: { directory, group: { size: 5, root: filled(0xd3, 32) } },
      payload: asciiBytes('hello'),
      random: (sizeBytes) => filled(0x5a, sizeBytes),
    });
    expectBytes(sealed.envelope, example('envelope/envelope'));
    const message = openMessage(opened(), sealed.envelope);
    expectBytes(message.payload, asciiBytes('hello'));
    expectBytes(message.digest, example('envelope/digest'));
    expectBytes(message.link, example('envelope/link'));
    for (const at of [0, 40, 90, sealed.envelope.length - 1]) {
      const altered = Uint8Array.from(sealed.envelope);
      altered[at] = (altered[at] as number) ^ 1;
      expectEqual(outcomeOf(() => openMessage(opened(), altered)) === 'accepted', false);
    }
  });
  return made;
}
