import { createHash } from 'node:crypto';
import { MerkleTree } from 'merkletreejs';
import type { TreePeer } from '../src/directory/lookups.ts';

interface Step {
  readonly data: Buffer;
}

const sha256 = (data: Buffer): Buffer => createHash('sha256').update(data).digest();

/** A binary tree over hashes, with node:crypto's SHA-256: says that a leaf is there, not which one is a key's. */
const merkletreejs: TreePeer = {
  name: 'merkletreejs',
  grow(leaves) {
    const buffers = leaves.map((leaf) => Buffer.from(leaf));
    const tree = new MerkleTree(buffers, sha256);
    return {
      root: tree.getRoot(),
      prove(index) {
        const leaf = buffers[index] as Buffer;
        const proof = tree.getProof(leaf, index) as readonly Step[];
        // A hash and a side for each step.
        const sizeBytes = proof.reduce((sum, { data }) => sum + data.length + 1, 0);
        return { sizeBytes, verify: (root) => tree.verify(proof as Step[], leaf, Buffer.from(root)) };
      },
    };
  },
};
export default merkletreejs;
