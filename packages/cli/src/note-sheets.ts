import type { Context } from './context.ts';
import { RECIPIENT_FILE } from './archive-key-files.ts';
import { SET_FILE } from './share-sheet.ts';

/** What to do with the files of a ceremony. */
export function noteSheets({ output }: Context, folder: string): void {
  output.note(
    `In ${folder}: a sheet for each holder, secret; for everyone ${SET_FILE}, no secret; ${RECIPIENT_FILE}, the public key.`,
  );
  output.note('Print each sheet for its holder alone, then delete it, here and at the printer.');
  output.note(`Give ${SET_FILE} to every holder, and keep it beside the archives, not in one.`);
}
