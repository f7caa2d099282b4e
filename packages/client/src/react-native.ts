export {
  openNativeDeviceStore,
  type NativeDeviceStoreOptions,
  type NativeStorePorts,
} from './react-native/native-device-store.ts';
export { nativeClientPorts } from './react-native/native-ports.ts';
export type { JournalRows } from './row-journal.ts';
