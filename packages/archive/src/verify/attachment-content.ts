import { contentCheck, parseAttachmentDescriptor } from '@keytide/crypto-core';
import { openAge } from '../age/age-file.ts';
import type { AgeIdentity } from '../age/hybrid.ts';
import { ArchiveError } from '../errors.ts';
import type { NamedAttachment } from '../export/source.ts';
import { throughPieces } from '../pieces.ts';
import type { Check } from './check.ts';

const level = 'decryption';

/** Whether what a file holds is what one of the messages that name it describes. */
export async function checkContent(
  { primitives, files, findings }: Check,
  {
    file,
    descriptions,
    identities,
  }: {
    readonly file: string;
    readonly descriptions: readonly NamedAttachment[];
    readonly identities: readonly AgeIdentity[];
  },
): Promise<void> {
  const described = descriptions.map(({ descriptor }) => parseAttachmentDescriptor(descriptor));
  try {
    const checks = described.map((descriptor) => contentCheck(primitives, descriptor));
    await throughPieces(openAge(files.read(file), { primitives, identities }), (piece) => {
      for (const check of checks) check.push(piece);
    });
    if (!checks.some((check) => check.isDescribed())) findings.add(level, 'content-mismatch', { file });
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    findings.add(level, 'not-opened', { file, detail: error.code });
  } finally {
    for (const { key } of described) key.dispose();
  }
}
