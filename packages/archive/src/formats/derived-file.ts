import type { NamedAttachment } from '../export/source.ts';
import type { OpenedArchive } from '../open/read-archive.ts';

/** A file of a derived format. Its content is read, once, before the next file is asked for. */
export interface DerivedFile {
  /** With `/` between folders; ASCII letters, digits, `-` and `.` besides. No two differ only in case. */
  readonly name: string;
  readonly content: AsyncIterable<Uint8Array>;
}

/** Where the content of attachments is. */
export interface OpenedAttachments {
  /** Why there is no content: a code; `null` where there is. */
  missing(named: NamedAttachment): string | null;
  /** The content, in pieces. */
  read(named: NamedAttachment): AsyncIterable<Uint8Array>;
}

/** The attachments of an archive. */
export function attachmentsOf({ attachments, source }: OpenedArchive): OpenedAttachments {
  return {
    missing({ blob }) {
      const listed = attachments.get(blob);
      return listed === undefined ? 'attachment-gone' : listed.missing;
    },
    read: (named) => source.attachment(named),
  };
}
