import { appendFileSync, renameSync, statSync } from 'node:fs';

/** Where lines go, and how much of them is kept. */
export interface LogFileOptions {
  readonly path: string;
  readonly maxBytes: number;
  /** The one that is written to included. */
  readonly files: number;
}

/**
 * Appends lines to a file, for its owner alone; one that would grow too long becomes `PATH.1`, that one `PATH.2`, and
 * what is too many goes. The file is opened anew for each line, so other programs may move it away. When a line cannot
 * be written, `false`: the work that it tells of goes on.
 */
export function logFile({ path, maxBytes, files }: LogFileOptions): (line: string) => boolean {
  return (line) => {
    const bytes = Buffer.from(`${line}\n`);
    try {
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      if (size > 0 && size + bytes.length > maxBytes) rotate(path, files);
      appendFileSync(path, bytes, {
        mode: 0o600,
        flag: size + bytes.length > maxBytes && files === 1 ? 'w' : 'a',
      });
      return true;
    } catch {
      return false;
    }
  };
}

/** The oldest goes by the next one taking its name. */
function rotate(path: string, files: number): void {
  for (let index = files - 1; index >= 1; index -= 1) {
    const from = index === 1 ? path : `${path}.${index - 1}`;
    if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, `${path}.${index}`);
  }
}
