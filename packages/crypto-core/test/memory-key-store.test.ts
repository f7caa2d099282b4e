import { memoryKeyStore } from '@keytide/crypto-core';
import { keyStoreConformance } from './key-store-conformance.ts';

keyStoreConformance('memory', async () => ({ open: async () => memoryKeyStore(), reopen: null }));
