import type { Primitives } from '@keytide/crypto-core';
import type { ArchiveFiles } from '../container/destination.ts';
import { ArchiveError } from '../errors.ts';
import type { FindingCode, Findings, VerifyLevel } from './finding.ts';

/** How far a verification is: bytes for hashes, entries for completeness, else files. */
export interface VerifyProgress {
  readonly level: VerifyLevel;
  readonly done: number;
  readonly total: number;
}

/** What every part of a verification works with. */
export interface Check {
  readonly primitives: Primitives;
  readonly files: ArchiveFiles;
  readonly findings: Findings;
  /** Tells how far it is. @throws the signal's reason */
  tell(level: VerifyLevel, done: number, total: number): void;
}

const CODES: Partial<Record<ArchiveError['code'], FindingCode>> = {
  malformed: 'malformed',
  damaged: 'malformed',
  'too-large': 'malformed',
  'unsupported-version': 'unsupported-version',
  'missing-file': 'missing-file',
};

/** Does something with a file, and answers `null` where the file itself is at fault, which is then a finding. */
export async function withFile<T>(
  { findings }: Check,
  { level, file }: { readonly level: VerifyLevel; readonly file: string },
  work: () => Promise<T>,
): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof ArchiveError ? CODES[error.code] : undefined;
    if (code === undefined) throw error;
    findings.add(level, code, { file });
    return null;
  }
}
