import { asciiBytes, concatBytes, uint32Bytes, type Random } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';

/** Repeatable bytes: SHA-256 over a seed and a counter. For tests and examples only. */
export function seededRandom(seed: string): Random {
  let counter = 0;
  return (sizeBytes) => {
    const blocks: Uint8Array[] = [];
    for (let have = 0; have < sizeBytes; have += 32) {
      blocks.push(nodePrimitives.sha256(concatBytes(asciiBytes(seed), uint32Bytes(counter))));
      counter += 1;
    }
    return concatBytes(...blocks).slice(0, sizeBytes);
  };
}
