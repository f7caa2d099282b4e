import { sorted } from '@keytide/crypto-core';
import { encodeLines } from '../container/json-lines.ts';
import { attachmentFile, NAMES } from '../container/names.ts';
import type { ArchiveWriter } from './archive-writer.ts';
import type { Descriptions } from './descriptions.ts';
import type { ExportSource, NamedAttachment } from './source.ts';

/** What became of an attachment: `missing` is a code, or `null` for one that is in the archive. */
export interface ExportedAttachment {
  readonly blob: string;
  readonly sizeBytes: number;
  readonly missing: string | null;
}

/** Writes the attachments, one after the other, and the list of them. What is gone is listed as missing. */
export async function exportAttachments(
  source: ExportSource,
  writer: ArchiveWriter,
  { named, descriptions }: { named: ReadonlySet<string>; descriptions: Descriptions },
  onAttachment: (exported: ExportedAttachment) => void,
): Promise<void> {
  const list: ExportedAttachment[] = [];
  for (const blob of sorted(named)) {
    const exported = await exportOne(source, writer, { blob, described: descriptions.get(blob) ?? [] });
    await writer.record('when due');
    list.push(exported);
    onAttachment(exported);
  }
  const lines = list.map(({ missing, ...found }) => (missing === null ? found : { ...found, missing }));
  await writer.write(NAMES.attachments, encodeLines(lines));
}

/**
 * By the first description that opens it; missing, with the code of the first, where none does. What was named while
 * it could be read, and cannot be had any more, is over.
 */
async function exportOne(
  source: ExportSource,
  writer: ArchiveWriter,
  { blob, described }: { blob: string; described: readonly NamedAttachment[] },
): Promise<ExportedAttachment> {
  const { contentBytes } = writer.kept;
  const name = attachmentFile(blob);
  const sizeBytes = contentBytes.get(blob) ?? described[0]?.sizeBytes ?? 0;
  if (await writer.keep(name)) return { blob, sizeBytes, missing: null };
  let missing: string | null = null;
  for (const named of described)
    try {
      await writer.seal(name, source.attachment(named));
      contentBytes.set(blob, named.sizeBytes);
      return { blob, sizeBytes: named.sizeBytes, missing: null };
    } catch (error) {
      const code = source.missingCodeOf(error);
      if (code === null) throw error;
      missing ??= code;
    }
  return { blob, sizeBytes, missing: missing ?? 'expired-by-policy' };
}
