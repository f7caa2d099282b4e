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
  descriptions: Descriptions,
  onAttachment: (exported: ExportedAttachment) => void,
): Promise<void> {
  const list: ExportedAttachment[] = [];
  for (const blob of sorted(descriptions.keys())) {
    const exported = await exportOne(source, writer, descriptions.get(blob) ?? []);
    list.push(exported);
    onAttachment(exported);
  }
  const lines = list.map(({ missing, ...found }) => (missing === null ? found : { ...found, missing }));
  await writer.write(NAMES.attachments, encodeLines(lines));
}

/** By the first description that opens it; missing, with the code of the first, where none does. */
async function exportOne(
  source: ExportSource,
  writer: ArchiveWriter,
  described: readonly NamedAttachment[],
): Promise<ExportedAttachment> {
  const { blob, sizeBytes } = described[0] as NamedAttachment;
  const name = attachmentFile(blob);
  // Of several, it is not known which one opened it.
  if (described.length === 1 && (await writer.keep(name))) return { blob, sizeBytes, missing: null };
  let missing: string | null = null;
  for (const named of described)
    try {
      await writer.seal(name, source.attachment(named));
      return { blob, sizeBytes: named.sizeBytes, missing: null };
    } catch (error) {
      const code = source.missingCodeOf(error);
      if (code === null) throw error;
      missing ??= code;
    }
  return { blob, sizeBytes, missing };
}
