import { attachmentName } from './attachment-name.ts';
import type { DerivedFile, OpenedAttachments } from './derived-file.ts';
import { operationIn } from './operation.ts';
import type { OpenedEntries } from './opened-entry.ts';
import { referenceIn } from './reference.ts';

/**
 * The content of the attachments that messages name and that are there, each once, under the names that pages link to:
 * docs/spec/derived-formats.md, "HTML".
 */
export async function* attachmentFiles(
  entries: OpenedEntries,
  attachments: OpenedAttachments,
): AsyncGenerator<DerivedFile, void, undefined> {
  const given = new Set<string>();
  for await (const { entry } of entries()) {
    if (entry.kind !== 'message') continue;
    const body = operationIn(entry.payload)?.body ?? null;
    for (const named of entry.attachments) {
      const called = referenceIn(body, named.blob)?.['name'];
      const name = attachmentName(named.blob, typeof called === 'string' ? called : '');
      if (given.has(name) || attachments.missing(named) !== null) continue;
      given.add(name);
      yield { name, content: attachments.read(named) };
    }
  }
}
