import { labelled, type Label } from './labels.ts';
import type { Primitives } from './primitives.ts';

/**
 * SHA-256 over a label and parts: 32 bytes. The caller makes sure that the parts can be told apart:
 * all but the last have a fixed length.
 */
export function labelledHash(
  primitives: Primitives,
  label: Label,
  ...parts: readonly Uint8Array[]
): Uint8Array {
  return primitives.sha256(labelled(label, ...parts));
}
