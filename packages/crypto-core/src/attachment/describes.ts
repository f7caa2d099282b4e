import { equalBytes } from '../bytes.ts';
import type { Primitives } from '../primitives.ts';
import type { AttachmentDescriptor } from './descriptor.ts';
import { resealAttachment } from './seal.ts';

/** Finds out whether content is what a descriptor describes. */
export interface ContentCheck {
  /** Takes the next content, in pieces of any size. */
  push(content: Uint8Array): void;
  /** Once, after all of it. */
  isDescribed(): boolean;
}

/**
 * Seals content once more under the descriptor's key, and compares size and root of the ciphertext: without the
 * ciphertext, the only proof that content is what its sender attached. A descriptor without a root proves the size.
 */
export function contentCheck(primitives: Primitives, descriptor: AttachmentDescriptor): ContentCheck {
  const sealer = resealAttachment(primitives, descriptor);
  let sizeBytes = 0;
  let isTooLarge = false;
  return {
    push(content) {
      sizeBytes += content.length;
      isTooLarge ||= sizeBytes > descriptor.sizeBytes;
      if (!isTooLarge) sealer.push(content);
    },
    isDescribed() {
      if (isTooLarge || sizeBytes !== descriptor.sizeBytes) return false;
      for (const chunk of sealer.end()) chunk.fill(0);
      const { root } = sealer.descriptor();
      return root === null || descriptor.root === null || equalBytes(root, descriptor.root);
    },
  };
}
