export {
  eraseBrowserKeyStore,
  openBrowserKeyStore,
  type BrowserKeyStoreOptions,
} from './browser/key-store.ts';
export { browserPrimitives, type BrowserPrimitivesOptions } from './browser/primitives.ts';
export { browserRandom } from './browser/random.ts';
export type { Sodium } from './browser/sodium.ts';
export { DEFAULT_VAULT_KDF, type VaultKdf } from './vault/vault-key.ts';
