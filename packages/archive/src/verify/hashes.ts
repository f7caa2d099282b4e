import { equalBytes } from '@keytide/crypto-core';
import { BAGIT, encodeBagInfo, TAG_FILES } from '../container/bag.ts';
import type { ArchiveFiles, FileDigest } from '../container/destination.ts';
import { NAMES } from '../container/names.ts';
import { withFile, type Check } from './check.ts';
import type { Structure } from './structure.ts';

const level = 'hashes';
/** How many files are read at a time, so that one is waited for while another is hashed. */
const AT_ONCE = 4;

/** Whether every byte is what was written. */
export async function checkHashes(check: Check, { sizes, listed, tags, signed }: Structure): Promise<void> {
  const { files, findings, primitives } = check;
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let done = 0;
  const there = new Map([...(listed ?? [])].filter(([file]) => sizes.has(file)));
  for await (const [file, reading] of readAhead(files, there.keys())) {
    check.tell(level, done, total);
    const digest = await withFile(check, { level, file }, () => reading);
    const hash = there.get(file) as Uint8Array;
    if (digest !== null && !equalBytes(digest.sha256, hash)) findings.add(level, 'hash-mismatch', { file });
    done += sizes.get(file) as number;
  }
  // What these are to be is known without the list of them, so it is told which of the two was altered.
  const known = new Map([[NAMES.bagit as string, primitives.sha256(BAGIT)]]);
  if (signed !== null) {
    known.set(NAMES.manifest, signed.manifest.manifestHash);
    known.set(NAMES.bagInfo, primitives.sha256(encodeBagInfo(signed.manifest)));
  }
  const isSigned = !findings.list.some(({ file }) => file === NAMES.signedManifest);
  for (const file of TAG_FILES) {
    const hash = tags?.get(file);
    if (hash === undefined || !sizes.has(file)) continue;
    const digest = await withFile(check, { level, file }, () => files.digest(file));
    if (digest === null || equalBytes(digest.sha256, hash)) continue;
    const expected = known.get(file) ?? (isSigned ? digest.sha256 : undefined);
    const isTrue = expected !== undefined && equalBytes(digest.sha256, expected);
    findings.add(level, 'hash-mismatch', { file: isTrue ? NAMES.tagManifest : file });
  }
  check.tell(level, total, total);
}

/** Reads files a few at a time, and gives them in their order. Nothing is being read any more when it has ended. */
async function* readAhead(
  files: Pick<ArchiveFiles, 'digest'>,
  names: Iterable<string>,
): AsyncGenerator<readonly [file: string, reading: Promise<FileDigest>], void, undefined> {
  const begun: (readonly [string, Promise<FileDigest>])[] = [];
  // Gone only when it was taken: whoever stops before is waited for as well.
  function* first() {
    yield begun[0] as readonly [string, Promise<FileDigest>];
    begun.shift();
  }
  try {
    for (const name of names) {
      const reading = files.digest(name);
      // A failure is told when it is its turn.
      reading.catch(() => {});
      begun.push([name, reading]);
      if (begun.length === AT_ONCE) yield* first();
    }
    while (begun.length > 0) yield* first();
  } finally {
    await Promise.allSettled(begun.map(([, reading]) => reading));
  }
}
