import type { DirectoryErrorCode } from '../errors.ts';
import type { NoteKey } from '../note/key.ts';

/** What a file of evidence proves. To be shown with the keys as text: whoever does not know a key learns nothing of its owner. */
export interface ForkVerdict {
  /**
   * `forked`: two checkpoints that cannot both be of one log. `refused-entry`: a checkpoint over an entry
   * that the rules refuse. `wrong-map`: a checkpoint with a map that is not the log's.
   */
  readonly claim: 'forked' | 'refused-entry' | 'wrong-map';
  readonly origin: string;
  /**
   * Who signed what cannot be true. Empty for two checkpoints that nobody signed both of: then one of the
   * signers lies, or was lied to by whoever showed them the log.
   */
  readonly against: readonly NoteKey[];
  /** Who signed the first checkpoint, and who the second; equal where there is one. */
  readonly signers: readonly [first: readonly NoteKey[], second: readonly NoteKey[]];
  /** Of a refused entry: its index, and the code of the rule. */
  readonly refused: { readonly index: number; readonly code: DirectoryErrorCode } | null;
}
