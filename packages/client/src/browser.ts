export { openBrowserDeviceStore, type BrowserDeviceStoreOptions } from './browser/browser-device-store.ts';
export { browserPorts } from './browser/browser-ports.ts';
