import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { asciiBytes, Secret, type KeyStore } from '@keytide/crypto-core';
import { nodeRandom, openFileVault } from '@keytide/crypto-core/node';
import { eraseNativeKeyStore, openNativeKeyStore } from '@keytide/crypto-core/react-native';
import { keyStoreConformance } from '@keytide/testkit/key-store';
import { codeOfAsync } from './code-of.ts';
import { phoneWith, type Phone } from './native-phone.ts';
import { vaultFolder } from './vault-folder.ts';

const nextPath = await vaultFolder();

async function onPhone() {
  const { start, storage } = phoneWith();
  const ports = start();
  return {
    create: () => openNativeKeyStore(ports, { name: 'vault', create: true }),
    open: () => openNativeKeyStore(ports, { name: 'vault', create: false }),
    beside: 'vault-locked' as const,
    crash: () => openNativeKeyStore(start(), { name: 'vault', create: false }),
    kept: async () => [...storage.blobs.values()],
  };
}
keyStoreConformance('phone', onPhone, { describe, it });

/** A phone with a closed vault that holds one value. */
async function somePhone(unlockShare?: Secret): Promise<Phone> {
  const phone = phoneWith();
  await closing(phone.open({ create: true, ...(unlockShare && { unlockShare }) }), (store) =>
    store.write([{ name: 'key', value: asciiBytes('kept') }]),
  );
  return phone;
}
async function closing<T>(opening: Promise<KeyStore>, use: (store: KeyStore) => Promise<T>): Promise<T> {
  const store = await opening;
  const result = await use(store);
  await store.close();
  return result;
}
const openCode = (phone: Phone, create: boolean) =>
  codeOfAsync(() => closing(phone.open({ create }), (store) => store.names('')));

describe('a vault on a phone', () => {
  test('whose key the keystore lost says so, is not replaced, and opens again when the key is back', async () => {
    const phone = await somePhone();
    const { items, blobs } = phone.storage;
    const key = items.get('vault') as Uint8Array;
    const before = [...blobs];
    for (const lost of [null, key.subarray(0, 48), new Uint8Array(49).fill(7)]) {
      if (lost === null) items.delete('vault');
      else items.set('vault', lost);
      for (const create of [false, true]) expect(await openCode(phone, create)).toBe('device-key-lost');
    }
    expect([...blobs]).toEqual(before);
    items.set('vault', key);
    expect(await openCode(phone, true)).toBeNull();
  });

  test('restored on another phone, or an old one beside a new key, is not taken for this one', async () => {
    const [old, other] = [await somePhone(), await somePhone()];
    const restored = phoneWith({ items: other.storage.items, blobs: old.storage.blobs });
    for (const create of [false, true]) expect(await openCode(restored, create)).toBe('device-key-lost');
  });

  test('whose blobs are gone while its key is there is damaged, never silently a new one', async () => {
    const phone = await somePhone();
    phone.storage.blobs.clear();
    for (const create of [false, true]) expect(await openCode(phone, create)).toBe('vault-damaged');
    await eraseNativeKeyStore(phone.start(), 'vault');
    expect(await openCode(phone, false)).toBe('vault-missing');
    expect(await openCode(phone, true)).toBeNull();
  });

  test('erased leaves neither key nor content', async () => {
    const phone = await somePhone();
    const ports = phone.start();
    const store = await openNativeKeyStore(ports, { name: 'vault', create: false });
    expect(await codeOfAsync(() => eraseNativeKeyStore(ports, 'vault'))).toBe('vault-locked');
    await store.close();
    await eraseNativeKeyStore(ports, 'vault');
    expect([phone.storage.items.size, phone.storage.blobs.size]).toEqual([0, 0]);
  });

  test('with an unlock share needs it, and the right one', async () => {
    const share = nodeRandom(32);
    const phone = await somePhone(Secret.own(share.slice()));
    const codeWith = (unlockShare: Secret) =>
      codeOfAsync(() => closing(phone.open({ unlockShare }), (store) => store.get('key')));
    expect(await openCode(phone, false)).toBe('unlock-share-needed');
    expect(await codeWith(Secret.own(nodeRandom(32)))).toBe('wrong-passphrase');
    expect(await codeWith(Secret.own(share.slice()))).toBeNull();
    const without = await somePhone();
    const unlockShare = Secret.own(share);
    expect(await codeOfAsync(() => without.open({ unlockShare }))).toBe('unlock-share-needed');
  });

  test('is as it was when the writing by which it came to need a share, or none, was cut off', async () => {
    const share = nodeRandom(32);
    for (const before of [null, share]) {
      const given = before === null ? undefined : Secret.own(before.slice());
      const phone = await somePhone(given);
      const old = [...phone.storage.blobs];
      const unlockShare = async (): Promise<Secret> => Secret.own(share.slice());
      const vault = await openNativeKeyStore(phone.start(), { name: 'vault', create: false, unlockShare });
      await vault.rekey(before === null ? Secret.own(share.slice()) : null);
      await vault.close();
      const [[name, bytes]] = [...phone.storage.blobs] as [[string, Uint8Array]];
      for (const left of [110, bytes.length - 1]) {
        phone.storage.blobs.clear();
        for (const [blob, kept] of old) phone.storage.blobs.set(blob, kept);
        phone.storage.blobs.set(name, bytes.slice(0, left));
        const options = { name: 'vault', create: false, unlockShare };
        const again = await openNativeKeyStore(phone.start(), options);
        expect(again.needsUnlockShare).toBe(before !== null);
        expect(await again.get('key')).toEqual(asciiBytes('kept'));
        await again.write([{ name: 'later', value: asciiBytes('too') }]);
        await again.close();
        expect(await closing(openNativeKeyStore(phone.start(), options), (store) => store.names(''))).toEqual(
          ['key', 'later'],
        );
      }
    }
  });

  test('altered anywhere is damaged', async () => {
    const phone = await somePhone();
    const [[name, bytes]] = [...phone.storage.blobs] as [[string, Uint8Array]];
    for (let at = 0; at < bytes.length; at += 1) {
      const altered = bytes.slice();
      altered[at] = (altered[at] as number) ^ 0x40;
      phone.storage.blobs.set(name, altered);
      const isVersion = at === 7;
      expect(await openCode(phone, true)).toBe(isVersion ? 'unsupported-version' : 'vault-damaged');
    }
  });

  test('whose blob lies in the place of the other is damaged', async () => {
    const phone = await somePhone();
    const { blobs } = phone.storage;
    const [[name, bytes]] = [...blobs] as [[string, Uint8Array]];
    blobs.delete(name);
    blobs.set(name === 'vault.0' ? 'vault.1' : 'vault.0', bytes);
    expect(await openCode(phone, true)).toBe('vault-damaged');
  });

  test('is not begun in a keystore that keeps nothing, or something else', async () => {
    for (const kept of [0, 48, 49]) {
      const ports = phoneWith().start();
      const set = (name: string) => ports.secureItems.set(name, new Uint8Array(kept));
      const forgetful = {
        ...ports,
        secureItems: { ...ports.secureItems, set: kept === 0 ? async () => {} : set },
      };
      const options = { name: 'vault', create: true };
      expect(await codeOfAsync(() => openNativeKeyStore(forgetful, options))).toBe('device-key-lost');
    }
  });

  test('does not open as a file of Node', async () => {
    const phone = await somePhone();
    const path = nextPath();
    await mkdir(dirname(path));
    await writeFile(path, [...phone.storage.blobs.values()][0] as Uint8Array);
    const opening = { path, passphrase: '', create: true, random: nodeRandom };
    expect(await codeOfAsync(() => openFileVault(opening))).toBe('device-key-lost');
  });
});
