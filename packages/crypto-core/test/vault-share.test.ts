import { open as openFile, readFile } from 'node:fs/promises';
import { asciiBytes, concatBytes, equalBytes, Secret, toHex, type Vault } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom, openFileVault } from '@keytide/crypto-core/node';
import { openNativeKeyStore } from '@keytide/crypto-core/react-native';
import { memoryNativePorts, type NativeStorage } from '@keytide/testkit/key-store';
import { describe, expect, test } from 'vitest';
import { codeOfAsync } from './code-of.ts';
import { QUICK_KDF, vaultFolder } from './vault-folder.ts';

const nextPath = await vaultFolder();
const secret = (bytes: Uint8Array): Secret => Secret.own(bytes.slice());
const context = asciiBytes('for this relay');

type Open = (
  unlockShare?: Parameters<typeof openFileVault>[0]['unlockShare'],
  passphrase?: string,
) => Promise<Vault>;

function fileVault(): { path: string; open: Open } {
  const path = nextPath();
  const open: Open = (unlockShare, passphrase = '284913') =>
    openFileVault({
      ...{ path, passphrase, create: true, random: nodeRandom, kdf: QUICK_KDF },
      ...(unlockShare === undefined ? {} : { unlockShare }),
    });
  return { path, open };
}

function nativeVault(): { open: Open } {
  const storage: NativeStorage = { items: new Map(), blobs: new Map() };
  const open: Open = (unlockShare) =>
    openNativeKeyStore(memoryNativePorts({ primitives, random: nodeRandom }, storage), {
      ...{ name: 'vault', create: true },
      ...(unlockShare === undefined ? {} : { unlockShare }),
    });
  return { open };
}

async function using<T>(opening: Promise<Vault>, work: (vault: Vault) => Promise<T>): Promise<T> {
  const vault = await opening;
  try {
    return await work(vault);
  } finally {
    await vault.close();
  }
}

describe.each([
  ['a file', fileVault],
  ['a phone', nativeVault],
])('the vault of %s', (_, make: () => { open: Open }) => {
  test('comes to need a share while it is open, goes on, and opens with it alone; and back', async () => {
    const { open: openVault } = make();
    const share = nodeRandom(32);
    await using(openVault(), async (vault) => {
      await vault.write([{ name: 'before', value: asciiBytes('1') }]);
      expect(vault.needsUnlockShare).toBe(false);
      // Batches on their way meanwhile are in it.
      const [writing] = [vault.write([{ name: 'meanwhile', value: asciiBytes('2') }])];
      await vault.rekey(secret(share));
      await writing;
      expect(vault.needsUnlockShare).toBe(true);
      await vault.write([{ name: 'after', value: asciiBytes('3') }]);
    });
    const codeWith = (given?: Parameters<Open>[0]) =>
      codeOfAsync(() => using(openVault(given), async () => {}));
    expect(await codeWith()).toBe('unlock-share-needed');
    expect(await codeWith(secret(nodeRandom(32)))).toBe('wrong-passphrase');
    await using(openVault(secret(share)), async (vault) => {
      expect(await vault.names('')).toEqual(['after', 'before', 'meanwhile']);
      await vault.rekey(null);
    });
    expect(await codeWith(secret(share))).toBe('unlock-share-needed');
    expect(await using(openVault(), (vault) => vault.names(''))).toHaveLength(3);
  });

  test('asks for its share where it needs one, and only there', async () => {
    const { open: openVault } = make();
    const share = nodeRandom(32);
    const asked: string[] = [];
    const source: Parameters<Open>[0] = async (prove) => {
      prove(context).use((proof) => asked.push(toHex(proof)));
      return secret(share);
    };
    const proof = await using(openVault(source), async (vault) => {
      await vault.rekey(secret(share));
      return vault.prove(context).use(toHex);
    });
    expect(asked).toEqual([]);
    await using(openVault(source), async () => {});
    expect(asked).toEqual([proof]);
    const failing = () => Promise.reject(Object.assign(new Error('no network'), { code: 'offline' }));
    await expect(openVault(failing)).rejects.toMatchObject({ code: 'offline' });
    // A failed opening leaves nothing locked.
    await using(openVault(source), async () => {});
  });

  test('takes no share that could be guessed, and nothing once it is closed', async () => {
    const vault = await make().open();
    expect(await codeOfAsync(() => vault.rekey(secret(nodeRandom(15))))).toBe('malformed');
    expect(vault.needsUnlockShare).toBe(false);
    await vault.close();
    expect(await codeOfAsync(() => vault.rekey(secret(nodeRandom(32))))).toBe('disposed');
    expect(() => vault.prove(context)).toThrow(expect.objectContaining({ code: 'disposed' }));
  });
});

describe('a file vault that was given a share', () => {
  test('has no readable copy of what it was before', async () => {
    const { path, open: openVault } = fileVault();
    await using(openVault(), async (vault) => {
      await vault.write([{ name: 'key', value: nodeRandom(500) }]);
      const before = new Uint8Array(await readFile(path));
      const old = await openFile(path, 'r');
      await vault.rekey(secret(nodeRandom(32)));
      const left = new Uint8Array(before.length);
      await old.read(left, 0, left.length, 0);
      await old.close();
      expect(left.every((byte) => byte === 0)).toBe(true);
      expect(equalBytes(new Uint8Array(await readFile(path)).subarray(0, before.length), before)).toBe(false);
    });
  });

  test('proves its passphrase for one context and one salt: two devices with one PIN prove different things', async () => {
    const [mine, theirs] = [fileVault(), fileVault()];
    const proofOf = (from: { open: Open }, of = context, pin?: string) =>
      using(from.open(undefined, pin), async (vault) => vault.prove(of).use(toHex));
    const proof = await proofOf(mine);
    expect(await proofOf(mine)).toBe(proof);
    expect(await proofOf(mine, concatBytes(context, Uint8Array.of(0)))).not.toBe(proof);
    expect(await proofOf(theirs)).not.toBe(proof);
  });
});
