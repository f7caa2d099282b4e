import { equalBytes } from '@keytide/crypto-core';
import { BAGIT, encodeBagInfo, TAG_FILES } from '../container/bag.ts';
import { NAMES } from '../container/names.ts';
import { withFile, type Check } from './check.ts';
import type { Structure } from './structure.ts';

const level = 'hashes';

/** Whether every byte is what was written. */
export async function checkHashes(check: Check, { sizes, listed, tags, signed }: Structure): Promise<void> {
  const { files, findings, primitives } = check;
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let done = 0;
  for (const [file, hash] of listed ?? []) {
    if (!sizes.has(file)) continue;
    check.tell(level, done, total);
    const digest = await withFile(check, { level, file }, () => files.digest(file));
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
