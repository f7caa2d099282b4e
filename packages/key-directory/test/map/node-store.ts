import { toHex } from '@keytide/crypto-core';
import type { MapUpdate, NodeSource } from '@keytide/key-directory';

/** Nodes in memory, and how many were read. */
export class NodeStore implements NodeSource {
  reads = 0;
  readonly nodes = new Map<string, Uint8Array>();

  readNode: NodeSource['readNode'] = (hash) => {
    this.reads += 1;
    return Promise.resolve(this.nodes.get(toHex(hash)) ?? null);
  };

  /** Writes what an update made; its root. */
  keep({ root, added }: MapUpdate): Uint8Array {
    for (const { hash, bytes } of added) this.nodes.set(toHex(hash), bytes);
    return root;
  }

  /** Deletes what an update made superfluous. */
  prune({ replaced }: MapUpdate): void {
    for (const hash of replaced) this.nodes.delete(toHex(hash));
  }
}
