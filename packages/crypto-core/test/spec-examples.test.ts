import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  archiveRecipient,
  appendLeaf,
  asciiBytes,
  concatBytes,
  createSealingRecord,
  decodeCbor,
  EMPTY_FRONTIER,
  encodeCbor,
  encodeDeviceRecord,
  labelledHash,
  leafHash,
  openBox,
  openEpochBox,
  openMessage,
  pad,
  parseDeviceRecord,
  recipientsHash,
  rootOf,
  sealMessage,
  signBytes,
  toHex,
  verifyEpochStatement,
  verifySealingRecord,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom, openFileVault } from '@keytide/crypto-core/node';
import { sealVaultFile } from '../src/vault/vault-file.ts';
import { bindToDevice, proofOf, unlockVault } from '../src/vault/vault-key.ts';
import { argon2id } from '../src/node/argon2id.ts';
import { specExample, specPage } from './spec-page.ts';
import * as world from './spec-world.ts';
import { vaultFolder } from './vault-folder.ts';

const { alice, bob, filled } = world;

describe('docs/spec/encoding.md', () => {
  const example = (name: string) => specExample('encoding', name);
  test('CBOR', () => {
    const value = [1, -1, 'ü', filled(0xff, 3), { b: true, aa: null }];
    expect(toHex(encodeCbor(value))).toBe(toHex(example('cbor')));
    expect(decodeCbor(example('cbor'), 100)).toEqual(value);
  });
  test('labelled hash', () => {
    expect(labelledHash(primitives, 'deviceId', alice.signer.publicKey)).toEqual(example('labelled-hash'));
    expect(toHex(example('labelled-hash'))).toBe(alice.id);
  });
  test('signature', () => {
    expect(signBytes(primitives, alice.signer, 'login', asciiBytes('hello'))).toEqual(example('signature'));
  });
  test('padding', () => {
    expect(toHex(pad(filled(0xaa, 30)))).toBe(toHex(example('padding')));
  });
  test('Merkle root', () => {
    const frontier = ['a', 'b', 'c'].reduce(
      (tree, entry) => appendLeaf(primitives, tree, leafHash(primitives, asciiBytes(entry))),
      EMPTY_FRONTIER,
    );
    expect(rootOf(primitives, frontier)).toEqual(example('merkle-root'));
  });
  test('lists every label', () => {
    const source = readFileSync(new URL('../src/labels.ts', import.meta.url), 'utf8');
    const labels = source.match(/keytide\/v1\/[a-z-]+/g) ?? [];
    expect(labels.length).toBeGreaterThan(20);
    expect(labels.filter((label) => !specPage('encoding').includes(`\`${label}\``))).toEqual([]);
  });
});

describe('docs/spec/keys-and-sealing.md', () => {
  const example = (name: string) => specExample('keys-and-sealing', name);
  test('device record', () => {
    const record = { signingPublicKey: alice.signer.publicKey, abilities: 1 };
    expect(encodeDeviceRecord(record)).toEqual(example('device-record'));
    expect(parseDeviceRecord(example('device-record'))).toEqual(record);
  });
  test('sealing record', () => {
    const record = {
      device: alice.id,
      publicKey: alice.decapsulator.publicKey,
      notBeforeMs: world.BLOCK_START_MS,
      notAfterMs: world.BLOCK_END_MS,
    };
    const wire = createSealingRecord(primitives, alice.signer, record);
    expect(toHex(wire)).toBe(toHex(example('sealing-record')));
    expect(verifySealingRecord(primitives, alice.verifier, example('sealing-record'))).toEqual(record);
  });
  test('sealed box: opens', () => {
    const opened = openBox(primitives, bob.decapsulator, asciiBytes('an example'), example('box'));
    expect(opened).toEqual(asciiBytes('for Bob'));
  });
});

describe('docs/spec/epoch-statement.md', () => {
  const example = (name: string) => specExample('epoch-statement', name);
  const recipients = [alice, bob].map(({ id }) => ({ device: id }));
  test('statement, hash, commitment and recipients', () => {
    expect(toHex(world.epoch.statement)).toBe(toHex(example('statement')));
    expect(world.epoch.hash).toEqual(example('statement-hash'));
    expect(world.statement.keyCommitment).toEqual(example('key-commitment'));
    expect(recipientsHash(primitives, recipients)).toEqual(example('recipients-hash'));
    verifyEpochStatement(primitives, world.statement, {
      org: world.org,
      group: world.group,
      previous: { epoch: 1, hash: filled(0xf1, 32), createdMs: world.BLOCK_START_MS },
      authorVerifier: alice.verifier,
      blockMs: world.BLOCK_END_MS - world.BLOCK_START_MS,
      recipients,
    });
  });
  test('the archive as a recipient', () => {
    const { publicKey } = primitives.decapsulator(filled(0x06, 32));
    const archive = archiveRecipient(primitives, publicKey);
    expect(archive).toBe(toHex(example('archive-recipient')));
    expect(recipientsHash(primitives, [...recipients, { device: archive }])).toEqual(
      example('archived-recipients-hash'),
    );
  });
  test('epoch box: opens', () => {
    const key = openEpochBox(primitives, [bob.decapsulator], world.statement, bob.id, example('box'));
    expect(key.use((bytes) => bytes.slice())).toEqual(filled(0xe1, 32));
  });
});

describe('docs/spec/envelope.md', () => {
  const example = (name: string) => specExample('envelope', name);
  test('envelope, digest and link', () => {
    const input = {
      signer: alice.signer,
      sender: alice.id,
      channel: filled(0xc1, 16),
      counter: 3,
      previousLink: filled(0x1a, 32),
      heads: { directory: world.directory, group: { size: 5, root: filled(0xd3, 32) } },
      payload: asciiBytes('hello'),
      random: (sizeBytes: number) => filled(0x5a, sizeBytes),
    };
    const sealed = sealMessage(world.openedEpoch(), input);
    expect(toHex(sealed.envelope)).toBe(toHex(example('envelope')));
    const opened = openMessage(world.openedEpoch(), example('envelope'));
    expect(opened.payload).toEqual(asciiBytes('hello'));
    expect(opened.digest).toEqual(example('digest'));
    expect(opened.link).toEqual(example('link'));
  });
});

describe('docs/spec/vault.md', async () => {
  const nextPath = await vaultFolder();
  const bytes = specExample('vault', 'vault');
  const kdf = { memoryKiB: 64, passes: 1, parallelism: 1 };
  test('is what is written for these inputs', async () => {
    const salt = filled(0x5a, 16);
    const header = { kdf, needsUnlockShare: false, needsDeviceKey: false, salt };
    const secrets = { passphrase: 'example', unlockShare: null };
    const { unlocked: root } = await unlockVault(primitives, argon2id, header, secrets);
    const written = sealVaultFile({
      primitives,
      header,
      root,
      generation: 2,
      entries: new Map([['device/signing', filled(0x01, 32)]]),
      random: (sizeBytes) => filled(0x5b, sizeBytes),
    });
    expect(toHex(written)).toBe(toHex(bytes));
  });
  test('is what is written with a device key', async () => {
    const header = { kdf: null, needsUnlockShare: false, needsDeviceKey: true, salt: filled(0x5a, 16) };
    const secrets = { passphrase: null, unlockShare: null };
    const { unlocked } = await unlockVault(primitives, null, header, secrets);
    const written = sealVaultFile({
      primitives,
      header,
      root: bindToDevice(primitives, unlocked, filled(0xdd, 32)),
      generation: 2,
      entries: new Map([['device/signing', filled(0x01, 32)]]),
      random: (sizeBytes) => filled(0x5b, sizeBytes),
    });
    expect(toHex(written)).toBe(toHex(specExample('vault', 'device-vault')));
  });
  test('opens', async () => {
    const path = nextPath();
    await mkdir(dirname(path));
    await writeFile(path, bytes);
    const vault = await openFileVault({ path, passphrase: 'example', create: false, random: nodeRandom });
    expect(await vault.get('device/signing')).toEqual(filled(0x01, 32));
    await vault.close();
  });
});

describe('docs/spec/errors.md', () => {
  test('has a row for every code, and for no other', () => {
    const source = readFileSync(new URL('../src/errors.ts', import.meta.url), 'utf8');
    const codes = [...source.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, code]) => code);
    const section = specPage('errors').split('## crypto-core')[1]?.split('\n## ')[0] ?? '';
    const rows = [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(15);
    expect(rows.toSorted()).toEqual(codes.toSorted());
  });
});

test('docs/spec/unlock-lease.md: the proof of a passphrase, and what the relay knows it by', async () => {
  const stretched = await argon2id('example', filled(0x5a, 16), { memoryKiB: 64, passes: 1, parallelism: 1 });
  const context = concatBytes(filled(0x1d, 32), asciiBytes('http://127.0.0.1:8080'));
  const [proof, verifier] = proofOf(primitives, stretched, context).use((bytes) => [
    toHex(bytes),
    toHex(labelledHash(primitives, 'unlockVerifier', bytes)),
  ]);
  expect(proof).toBe(toHex(specExample('unlock-lease', 'proof')));
  expect(verifier).toBe(toHex(specExample('unlock-lease', 'verifier')));
});
