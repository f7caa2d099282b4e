export { wasHomeDestroyed } from './node/destroyed-home.ts';
export {
  hasFileDeviceStore,
  openFileDeviceStore,
  type FileDeviceStoreOptions,
} from './node/file-device-store.ts';
export { openFileJournal } from './node/file-journal.ts';
export { nodePorts, systemClock } from './node/node-ports.ts';
