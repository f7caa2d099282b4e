import type { Primitives, Random, Signer } from '@keytide/crypto-core';
import { withKeyFile, type KeyFile } from './key-file.ts';

/**
 * The relay's Ed25519 key, which signs the checkpoints of every log it holds: from the 32-byte seed in a file.
 * With another key, the relay would be taken for another relay.
 * @throws RelayError `relay-key-missing` after the first start; `relay-key-unusable`: not 32 bytes, open to
 * others, or not to be read or made
 */
export function openRelayKey(primitives: Primitives, random: Random, file: KeyFile): Promise<Signer> {
  // Refuses what is not 32 bytes.
  return withKeyFile('relay', random, file, (seed) => primitives.signer(seed));
}
