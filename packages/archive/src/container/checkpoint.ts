import { parseCheckpointText, parseNote, type LogCheckpoint } from '@keytide/key-directory';
import { ArchiveError } from '../errors.ts';

/** What `checkpoint.txt` says, whoever has signed it. @throws ArchiveError `malformed` */
export function checkpointIn(note: Uint8Array): LogCheckpoint {
  try {
    return parseCheckpointText(parseNote(note).text);
  } catch (cause) {
    throw new ArchiveError('malformed', 'not a checkpoint of a membership log', { cause });
  }
}
