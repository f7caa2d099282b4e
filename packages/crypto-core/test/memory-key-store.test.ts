import { describe, expect, it } from 'vitest';
import { asciiBytes, memoryKeyStore } from '@keytide/crypto-core';
import { keyStoreConformance } from '@keytide/testkit/key-store';

const inMemory = async () => ({
  create: async () => memoryKeyStore(),
  open: null,
  beside: null,
  crash: null,
  kept: null,
});
keyStoreConformance('memory', inMemory, { describe, it });

it('keeps what it was given also where that is a Buffer, whose slice is a view', async () => {
  const store = memoryKeyStore();
  const value = Buffer.from('value');
  await store.write([{ name: 'key', value }]);
  value.fill(0);
  (await store.get('key'))?.fill(0);
  expect(await store.get('key')).toEqual(asciiBytes('value'));
});
