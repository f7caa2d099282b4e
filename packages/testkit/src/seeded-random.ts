import { asciiBytes, concatBytes, uint64Bytes, type Random } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';

/**
 * Randomness that is the same on every run: SHA-256(seed ‖ counter), block after block. For tests only.
 * @param seed any ASCII text; print it where a test fails
 */
export function seededRandom(seed: string): Random {
  const prefix = concatBytes(asciiBytes(seed), Uint8Array.of(0));
  let counter = 0;
  return (sizeBytes) => {
    const blocks: Uint8Array[] = [];
    for (let produced = 0; produced < sizeBytes; produced += 32) {
      blocks.push(nodePrimitives.sha256(concatBytes(prefix, uint64Bytes(counter))));
      counter += 1;
    }
    return concatBytes(...blocks).slice(0, sizeBytes);
  };
}
