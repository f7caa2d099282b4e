import { decodeUtf8, encodeUtf8, fromHex, sorted, toHex } from '@keytide/crypto-core';
import { ArchiveError } from '../errors.ts';
import type { FileDigest } from './destination.ts';
import { isArchiveName, NAMES, PAYLOAD } from './names.ts';

/** Of `manifest-sha256.txt`: a line has about 150 bytes, so 900,000 files. */
export const MAX_PAYLOAD_LIST_BYTES: number = 128 * 1024 * 1024;
/** `bagit.txt` (RFC 8493 §2.1.1). */
export const BAGIT: Uint8Array = text('BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n');

/** What `bag-info.txt` tells whoever finds the folder (RFC 8493 §2.2.2). */
export interface BagInfo {
  /** 64 hex digits. */
  readonly org: string;
  readonly createdMs: number;
  readonly files: { readonly count: number; readonly sizeBytes: number };
}

/** `bag-info.txt`. */
export function encodeBagInfo({ org, createdMs, files }: BagInfo): Uint8Array {
  return text(
    [
      `Bagging-Date: ${new Date(createdMs).toISOString().slice(0, 10)}`,
      'Bag-Software-Agent: Keytide',
      'External-Description: What an organisation wrote with Keytide. Begin with data/README-DECRYPT.txt',
      `External-Identifier: keytide-archive/v1/${org}`,
      `Payload-Oxum: ${files.sizeBytes}.${files.count}`,
      '',
    ].join('\n'),
  );
}

/** Files and their SHA-256, in the order of their names: `manifest-sha256.txt` (RFC 8493 §2.1.3). */
export function encodeManifestFile(files: ReadonlyMap<string, Pick<FileDigest, 'sha256'>>): Uint8Array {
  const names = sorted(files.keys());
  return text(names.map((name) => `${toHex((files.get(name) as FileDigest).sha256)}  ${name}\n`).join(''));
}

/**
 * Reads such a file: names to SHA-256 (32 bytes).
 * @throws ArchiveError `malformed` for what is none, for names in another order, or twice, or that no archive has
 */
export function parseManifestFile(file: Uint8Array, of: 'payload' | 'tags'): Map<string, Uint8Array> {
  const lines = decodeUtf8(file)?.split('\n') ?? [];
  if (lines.pop() !== '') throw malformed();
  const files = new Map<string, Uint8Array>();
  let before = '';
  for (const line of lines) {
    const [, digits, name] = LINE.exec(line) ?? [];
    if (digits === undefined || name === undefined) throw malformed();
    if (!isArchiveName(name) || name.startsWith(PAYLOAD) !== (of === 'payload') || name <= before)
      throw malformed();
    before = name;
    files.set(name, fromHex(digits) as Uint8Array);
  }
  return files;
}

/** What `tagmanifest-sha256.txt` lists. */
export const TAG_FILES: readonly string[] = [
  NAMES.bagInfo,
  NAMES.bagit,
  NAMES.manifest,
  NAMES.signedManifest,
];

const LINE = /^([0-9a-f]{64}) {2}(\S+)$/;

function text(content: string): Uint8Array {
  return encodeUtf8(content) as Uint8Array;
}

function malformed(): ArchiveError {
  return new ArchiveError('malformed', 'not a manifest of files');
}
