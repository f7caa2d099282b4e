import { ArchiveError, type ArchiveFilter, type ArchiveReport, type OpenedArchive } from '@keytide/archive';
import { aboutText } from './about-plain.ts';
import type { Context } from './context.ts';
import type { Format } from './choices.ts';
import { derivedFiles } from './derived-formats.ts';
import { newPlainFolder } from './plain-folder.ts';
import { createProgress } from './progress.ts';
import { isoTime } from './timestamps.ts';

/** What is written in the clear, and where to. */
interface PlainWriting {
  /** The archive's own place. */
  readonly path: string;
  readonly to: string;
  readonly opened: OpenedArchive;
  readonly report: ArchiveReport;
  readonly formats: readonly Format[];
  readonly filter: ArchiveFilter;
  /** Whether a file whose content is damaged is left out; otherwise it ends everything. */
  readonly isDamageExpected: boolean;
}

/** What was written, and which files could not be. */
interface PlainWritten {
  readonly files: number;
  readonly sizeBytes: number;
  readonly leftOut: readonly { readonly file: string; readonly code: string }[];
}

/** How many entries go by between two words of progress. */
const TOLD_EACH = 500;

/** Writes an opened archive into a new folder: all of it, or nothing. @throws CliError `file-exists`; the signal's reason */
export async function writePlain(context: Context, what: PlainWriting): Promise<PlainWritten> {
  const { output, signal } = context;
  const { path, to, opened, report, formats, filter } = what;
  const folder = await newPlainFolder(to, path);
  const leftOut: { file: string; code: string }[] = [];
  const tops = new Set<string>();
  let [files, sizeBytes] = [0, 0];
  const counted = async function* (content: AsyncIterable<Uint8Array>) {
    for await (const piece of content) {
      signal.throwIfAborted();
      sizeBytes += piece.length;
      yield piece;
    }
  };
  try {
    const deriving = { formats, filter, title: titleOf(report), onPass: passesOf(context, opened) };
    for await (const { name, content } of derivedFiles(opened, deriving))
      try {
        await folder.write(name, counted(content));
        files += 1;
        tops.add(name.split('/', 1)[0] as string);
      } catch (error) {
        const code = codeOf(what, error);
        if (code === null) throw error;
        leftOut.push({ file: name, code });
      }
    const about = { report, members: opened.members, filter, written: tops, leftOut };
    await folder.write('ABOUT.txt', aboutText(about));
    await folder.finish();
    return { files, sizeBytes, leftOut };
  } catch (error) {
    await folder.discard();
    if (signal.aborted) output.note('Stopped. What was written is removed: the same command begins anew.');
    throw error;
  }
}

/** Why an attachment is not there, or a file is damaged; `null` for what is to end everything. */
function codeOf({ opened, isDamageExpected }: PlainWriting, error: unknown): string | null {
  const missing = opened.source.missingCodeOf(error);
  return missing ?? (isDamageExpected && error instanceof ArchiveError ? error.code : null);
}

function titleOf({ archive, verdict }: ArchiveReport): string {
  const made = isoTime(archive?.createdMs ?? Number.NaN)?.slice(0, 10) ?? 'unknown date';
  return `Archive of ${made}${verdict === 'sound' ? '' : ' (not sound)'}`;
}

/** Progress of each time that everything is read. */
function passesOf({ output, signal }: Context, { groups }: OpenedArchive): (stage: string) => () => void {
  const total = groups.reduce((sum, { before, throughSeq }) => sum + throughSeq - before.size, 0);
  return (stage) => {
    const tell = createProgress(output, stage, process.stderr);
    let done = 0;
    return () => {
      signal.throwIfAborted();
      done += 1;
      if (done % TOLD_EACH === 0 || done === total) tell(done, total);
    };
  };
}
