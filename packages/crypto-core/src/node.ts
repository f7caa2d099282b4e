export { openFileVault, type FileVaultOptions } from './node/file-vault.ts';
export { p256Signer } from './node/p256.ts';
export { nodePrimitives } from './node/primitives.ts';
export { nodeRandom } from './node/random.ts';
export { sha256InPieces, type Sha256InPieces } from './node/sha256.ts';
export { signAwsRequest, type AwsCredentials } from './node/sigv4.ts';
export { replaceFile } from './node/replace-file.ts';
export { DEFAULT_VAULT_KDF, type VaultKdf } from './vault/vault-key.ts';
export { acquireVaultLock, type VaultLock } from './node/vault-lock.ts';
