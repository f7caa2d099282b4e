import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { asciiBytes, equalBytes, Secret, toBase64Url, toHex, type Primitives } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom, openFileVault, type FileVaultOptions } from '@keytide/crypto-core/node';
import { keyStoreConformance } from '@keytide/testkit/key-store';
import { openVaultFile, parseVaultFile, sealVaultFile } from '../src/vault/vault-file.ts';
import { newVaultHeader } from '../src/vault/vault-key.ts';
import { codeOfAsync } from './code-of.ts';
import { QUICK_KDF, vaultFolder } from './vault-folder.ts';

const nextPath = await vaultFolder();
const optionsFor = (path: string, change: Partial<FileVaultOptions> = {}): FileVaultOptions => ({
  path,
  passphrase: 'correct horse battery staple',
  create: true,
  random: nodeRandom,
  kdf: QUICK_KDF,
  ...change,
});

async function onFile() {
  const path = nextPath();
  return {
    create: () => openFileVault(optionsFor(path)),
    open: () => openFileVault(optionsFor(path, { create: false })),
    beside: 'vault-locked' as const,
    crash: null, // vault-crash.test.ts kills a process
    kept: async () => [new Uint8Array(await readFile(path))],
  };
}
keyStoreConformance('file vault', onFile, { describe, it });

/** A closed vault with some content. */
async function someVault(change: Partial<FileVaultOptions> = {}): Promise<string> {
  const path = nextPath();
  const vault = await openFileVault(optionsFor(path, change));
  await vault.write([{ name: 'key', value: asciiBytes('a value that must not show') }]);
  await vault.close();
  return path;
}
const openCode = (path: string, change: Partial<FileVaultOptions> = {}) =>
  codeOfAsync(async () => {
    const vault = await openFileVault(optionsFor(path, { create: false, ...change }));
    await vault.close();
  });

describe('file vault', () => {
  test('shows nothing of names and values, and is for its owner only', async () => {
    const path = await someVault();
    const bytes = await readFile(path);
    for (const text of ['must not show', 'key', 'horse']) {
      const plain = asciiBytes(text);
      for (const form of [text, toHex(plain), toBase64Url(plain)]) expect(bytes.includes(form)).toBe(false);
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
    expect(await readdir(dirname(path))).toEqual(['vault']);
  });

  test('is missing, or opens with its own cost', async () => {
    expect(await openCode(nextPath())).toBe('vault-missing');
    const path = await someVault();
    expect(await openCode(path, { kdf: { memoryKiB: 16, passes: 2, parallelism: 2 } })).toBeNull();
  });

  test('tells a wrong passphrase, and unlocks itself after it', async () => {
    const path = await someVault();
    expect(await openCode(path, { passphrase: 'correct horse battery stable' })).toBe('wrong-passphrase');
    expect(await openCode(path, { passphrase: '' })).toBe('wrong-passphrase');
    expect(await openCode(path)).toBeNull();
  });

  test('one passphrase in two Unicode forms is one passphrase', async () => {
    const path = await someVault({ passphrase: 'caf\u00e9' });
    expect(await openCode(path, { passphrase: 'cafe\u0301' })).toBeNull();
  });

  test('each altered byte is damage, before anybody is blamed for the passphrase', async () => {
    const path = await someVault();
    const bytes = new Uint8Array(await readFile(path));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const altered = bytes.slice();
        altered[at] = (altered[at] as number) ^ mask;
        await writeFile(path, altered);
        expect(await openCode(path)).toBe(at === 7 ? 'unsupported-version' : 'vault-damaged');
      }),
      { numRuns: 150 },
    );
    for (const size of [0, 7, 97, 98, bytes.length - 1]) {
      await writeFile(path, bytes.subarray(0, size));
      expect(await openCode(path)).toBe('vault-damaged');
    }
    await writeFile(path, bytes);
    expect(await openCode(path)).toBeNull();
  });

  test('a file cannot ask for a terabyte of memory', async () => {
    const path = await someVault();
    const bytes = new Uint8Array(await readFile(path));
    bytes.set([0x3f, 0xff, 0xff, 0xff], 8);
    bytes.set(createHash('sha256').update(bytes.subarray(0, 50)).digest().subarray(0, 8), 50);
    await writeFile(path, bytes);
    expect(await openCode(path)).toBe('vault-damaged');
    const asked = { kdf: { memoryKiB: 2 ** 31, passes: 1, parallelism: 1 } };
    expect(await codeOfAsync(() => openFileVault(optionsFor(nextPath(), asked)))).toBe('malformed');
  });

  test('with an unlock share, neither half opens it alone', async () => {
    const share = nodeRandom(32);
    const unlockShare = () => Secret.own(share.slice());
    const path = await someVault({ unlockShare: unlockShare() });
    expect(await openCode(path)).toBe('unlock-share-needed');
    expect(await openCode(path, { unlockShare: Secret.own(nodeRandom(32)) })).toBe('wrong-passphrase');
    expect(await openCode(path, { unlockShare: unlockShare(), passphrase: 'other' })).toBe(
      'wrong-passphrase',
    );
    expect(await openCode(path, { unlockShare: unlockShare() })).toBeNull();
    expect(await openCode(await someVault(), { unlockShare: unlockShare() })).toBe('unlock-share-needed');
  });

  test('what protects nothing makes no vault', async () => {
    const made = (change: Partial<FileVaultOptions>) =>
      codeOfAsync(async () => (await openFileVault(optionsFor(nextPath(), change))).close());
    expect(await made({ passphrase: '' })).toBe('malformed');
    expect(await made({ unlockShare: Secret.own(new Uint8Array(0)) })).toBe('malformed');
    expect(await made({ unlockShare: Secret.own(nodeRandom(15)) })).toBe('malformed');
    expect(await made({ unlockShare: Secret.own(nodeRandom(16)) })).toBeNull();
  });

  test('leaves neither its keys nor its whole content behind when it was opened', async () => {
    const secrets = { passphrase: null, unlockShare: null };
    const header = newVaultHeader(nodeRandom, secrets, { kdf: QUICK_KDF, needsDeviceKey: true });
    const root = nodeRandom(32);
    const lent: Uint8Array[] = [];
    const watched: Primitives = {
      ...nodePrimitives,
      aeadOpen(input) {
        const opened = nodePrimitives.aeadOpen(input);
        lent.push(input.key, opened);
        return opened;
      },
    };
    const entries = new Map([['key', asciiBytes('value')]]);
    const bytes = sealVaultFile({
      primitives: nodePrimitives,
      random: nodeRandom,
      header,
      root,
      generation: 1,
      entries,
    });
    expect(openVaultFile(watched, parseVaultFile(watched, bytes), root)).toEqual(entries);
    expect(lent.length).toBe(4);
    for (const left of lent) expect(left).toEqual(new Uint8Array(left.length));
  });

  test('no writing repeats a key: equal content never looks equal', async () => {
    const path = nextPath();
    const vault = await openFileVault(optionsFor(path));
    const seen: Uint8Array[] = [];
    for (let i = 0; i < 5; i += 1) {
      await vault.write([{ name: 'same', value: asciiBytes('same') }]);
      seen.push(new Uint8Array(await readFile(path)));
    }
    await vault.close();
    const salts = new Set(seen.map((bytes) => toHex(bytes.subarray(66, 98))));
    expect(salts.size).toBe(5);
    expect(new Set(seen.map((bytes) => toHex(bytes.subarray(98, 108)))).size).toBe(5);
    expect(
      seen.every((bytes) => equalBytes(bytes.subarray(0, 58), (seen[0] as Uint8Array).subarray(0, 58))),
    ).toBe(true);
  });

  test('a batch that could not be written is not seen, and the next one is', async () => {
    const path = nextPath();
    const vault = await openFileVault(optionsFor(path));
    await vault.write([{ name: 'kept', value: asciiBytes('1') }]);
    // A folder where the draft goes makes writing fail.
    await mkdir(join(`${path}.new`, 'in the way'), { recursive: true });
    await expect(vault.write([{ name: 'lost', value: asciiBytes('2') }])).rejects.toMatchObject({
      code: expect.stringMatching(/^E/),
    });
    expect(await vault.names('')).toEqual(['kept']);
    await rm(`${path}.new`, { recursive: true });
    await vault.write([{ name: 'later', value: asciiBytes('3') }]);
    await vault.close();
    const again = await openFileVault(optionsFor(path, { create: false }));
    expect(await again.names('')).toEqual(['kept', 'later']);
    await again.close();
  });

  test('the default cost is that of RFC 9106 and works', async () => {
    const path = nextPath();
    const { kdf: _, ...options } = optionsFor(path);
    const vault = await openFileVault(options);
    await vault.close();
    const bytes = new DataView(new Uint8Array(await readFile(path)).buffer);
    expect([bytes.getUint32(8), bytes.getUint32(12), bytes.getUint8(16)]).toEqual([65_536, 3, 1]);
  });
});
