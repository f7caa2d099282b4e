import { readArchiveStats } from '@keytide/archive';
import { withArchive } from '../archive-place.ts';
import { summaryLines, summaryOf } from '../archive-summary.ts';
import type { Context } from '../context.ts';

/** `keytide stats`: what an archive says that is in it. */
export async function showArchiveStats({ output }: Context, path: string): Promise<void> {
  const stats = await withArchive(path, readArchiveStats);
  output.result(summaryOf(stats), summaryLines(stats));
  output.note('By its own word. `keytide verify` says whether it is true.');
}
