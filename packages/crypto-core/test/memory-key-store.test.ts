import { describe, it } from 'vitest';
import { memoryKeyStore } from '@keytide/crypto-core';
import { keyStoreConformance } from '@keytide/testkit/key-store';

const inMemory = async () => ({
  create: async () => memoryKeyStore(),
  open: null,
  beside: null,
  crash: null,
  kept: null,
});
keyStoreConformance('memory', inMemory, { describe, it });
