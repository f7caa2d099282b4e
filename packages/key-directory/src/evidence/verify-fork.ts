import type { Primitives } from '@keytide/crypto-core';
import { parseForkProof } from './fork-proof.ts';
import type { ForkVerdict } from './fork-verdict.ts';
import { judgeCheckpoints } from './judge-checkpoints.ts';
import { judgeLog } from './judge-log.ts';

/**
 * Judges a file of evidence, offline and from nothing but the file. Everything that an honest log and honest
 * witnesses can have signed is refused, so nobody can be accused falsely by an altered or invented file.
 * @throws DirectoryError `bad-proof` where nothing is proved; `malformed`, `too-large`, `unsupported-version`,
 * `bad-signature`, `bad-key`; a retry does not help
 */
export function verifyForkProof(primitives: Primitives, file: Uint8Array): ForkVerdict {
  const proof = parseForkProof(primitives, file);
  return proof.kind === 'log' ? judgeLog(primitives, proof) : judgeCheckpoints(primitives, proof);
}
