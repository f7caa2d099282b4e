import { equalBytes, rootOf } from '@keytide/crypto-core';
import { NAMES } from '../container/names.ts';
import type { ArchiveManifest, SignedManifest } from '../container/signed-manifest.ts';
import type { Check } from './check.ts';

const level = 'completeness';

/** Whether an archive goes on from another, or what is missing between the two. */
export function checkPrevious(check: Check, manifest: ArchiveManifest, previous: SignedManifest): void {
  const { primitives, findings } = check;
  const file = NAMES.signedManifest;
  const isNamed =
    manifest.org === previous.manifest.org &&
    manifest.previous !== null &&
    equalBytes(manifest.previous, primitives.sha256(previous.bytes));
  if (!isNamed) findings.add(level, 'other-archive', { file });
  if (previous.manifest.filter !== null) findings.add(level, 'previous-filtered', { file });
  for (const { group, throughSeq, root } of previous.manifest.groups) {
    const before = manifest.groups.find((one) => one.group === group)?.before;
    if (before === undefined) findings.add(level, 'stretch-missing', { file, group, seq: throughSeq + 1 });
    else if (before.size > throughSeq) {
      const detail = `${throughSeq + 1}-${before.size}`;
      findings.add(level, 'stretch-missing', { file, group, seq: throughSeq + 1, detail });
    } else if (before.size < throughSeq)
      findings.add(level, 'segment-overlap', { file, group, seq: before.size + 1 });
    else if (!equalBytes(rootOf(primitives, before), root))
      findings.add(level, 'forked', { file, group, seq: throughSeq });
  }
}
