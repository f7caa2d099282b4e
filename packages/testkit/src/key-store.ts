export type { KeyStoreCheck, KeyStoreUnderTest } from './key-store-check.ts';
export { keyStoreChecks, keyStoreConformance } from './key-store-conformance.ts';
export { memoryNativePorts, type NativeStorage } from './memory-native-ports.ts';
export type { TestRunner } from './test-runner.ts';
