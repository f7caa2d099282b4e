import { sorted } from '@keytide/crypto-core';
import { encodeLines } from '../container/json-lines.ts';
import { attachmentFile, NAMES } from '../container/names.ts';
import type { ArchiveWriter } from './archive-writer.ts';
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
  named: ReadonlyMap<string, NamedAttachment>,
  onAttachment: (exported: ExportedAttachment) => void,
): Promise<void> {
  const list: ExportedAttachment[] = [];
  for (const blob of sorted(named.keys())) {
    const attachment = named.get(blob) as NamedAttachment;
    const { sizeBytes } = attachment;
    const exported = { blob, sizeBytes, missing: await exportOne(source, writer, attachment) };
    list.push(exported);
    onAttachment(exported);
  }
  const lines = list.map(({ missing, ...found }) => (missing === null ? found : { ...found, missing }));
  await writer.write(NAMES.attachments, encodeLines(lines));
}

async function exportOne(
  source: ExportSource,
  writer: ArchiveWriter,
  attachment: NamedAttachment,
): Promise<string | null> {
  const name = attachmentFile(attachment.blob);
  if (await writer.keep(name)) return null;
  try {
    await writer.seal(name, source.attachment(attachment));
    return null;
  } catch (error) {
    const code = source.missingCodeOf(error);
    if (code === null) throw error;
    return code;
  }
}
