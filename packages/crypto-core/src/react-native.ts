export {
  eraseNativeKeyStore,
  openNativeKeyStore,
  type NativeKeyStoreOptions,
} from './react-native/key-store.ts';
export type { NativeBlobs, NativePorts, SecureItems } from './react-native/ports.ts';
