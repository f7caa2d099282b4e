import {
  concatBytes,
  CryptoError,
  fromBase64Url,
  fromHex,
  signBytes,
  toBase64Url,
  toHex,
  verifyBytes,
  type Primitives,
  type Signer,
} from '@keytide/crypto-core';
import { z } from 'zod';
import type { Destination, FileDigest } from '../container/destination.ts';
import { encodeLine, encodeLines, readLines } from '../container/json-lines.ts';
import { NAMES } from '../container/names.ts';
import { readFile } from '../container/read-file.ts';
import { ArchiveError } from '../errors.ts';

/** What an export has written, by its device's own word: what is found in a place is anybody's. */
export interface KeptFiles {
  readonly files: Map<string, FileDigest>;
  /** How long the content of attachments is, by blob: who goes on may not be able to read any more who named them. */
  readonly contentBytes: Map<string, number>;
}

/** What signs them, and what they are bound to: the bytes of `plan.json`. */
export interface Keeping {
  readonly primitives: Primitives;
  readonly signer: Signer;
  readonly plan: Uint8Array;
}

/** A file has about 200 bytes. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;
const LINE_FEED = 10;
const hex = z.string().regex(/^[0-9a-f]{64}$/);
const sizeBytes = z.int().min(0);
const lineSchema = z.union([
  z.object({ file: z.string(), sizeBytes, sha256: hex }),
  z.object({ blob: hex, sizeBytes }),
]);
const signatureSchema = z.object({ signature: z.string() });

/** `kept.jsonl`: docs/spec/archive.md, "Writing". */
export async function encodeKept(
  { primitives, signer, plan }: Keeping,
  { files, contentBytes }: KeptFiles,
): Promise<Uint8Array> {
  function* values(): Generator<unknown> {
    for (const [file, { sizeBytes: size, sha256 }] of files)
      yield { file, sizeBytes: size, sha256: toHex(sha256) };
    for (const [blob, size] of contentBytes) yield { blob, sizeBytes: size };
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeLines(values())) pieces.push(piece);
  const lines = concatBytes(...pieces);
  const signed = signBytes(primitives, signer, 'exportProgressSignature', boundTo(primitives, plan, lines));
  return concatBytes(lines, encodeLine({ signature: toBase64Url(signed) }));
}

/** What this device has written by this plan: nothing where there is no such word of it. */
export async function readKept(keeping: Keeping, destination: Pick<Destination, 'read'>): Promise<KeptFiles> {
  const kept: KeptFiles = { files: new Map(), contentBytes: new Map() };
  try {
    const bytes = await readFile(destination, NAMES.kept, MAX_KEPT_BYTES);
    const end = bytes.lastIndexOf(LINE_FEED, bytes.length - 2) + 1;
    const lines = bytes.subarray(0, end);
    await verifySignature(keeping, lines, bytes.subarray(end));
    for await (const value of readLines([lines])) {
      const line = lineSchema.parse(value);
      if ('blob' in line) kept.contentBytes.set(line.blob, line.sizeBytes);
      else
        kept.files.set(line.file, {
          sizeBytes: line.sizeBytes,
          sha256: fromHex(line.sha256) as Uint8Array,
        });
    }
    return kept;
  } catch (error) {
    if (!(error instanceof ArchiveError || error instanceof CryptoError)) throw error;
    return { files: new Map(), contentBytes: new Map() };
  }
}

/** @throws CryptoError `bad-signature`, ArchiveError `malformed` */
async function verifySignature(
  { primitives, signer, plan }: Keeping,
  lines: Uint8Array,
  last: Uint8Array,
): Promise<void> {
  for await (const value of readLines([last])) {
    const signature = fromBase64Url(signatureSchema.safeParse(value).data?.signature ?? '');
    if (signature === null) break;
    const verifier = primitives.verifier(signer.publicKey);
    const bound = boundTo(primitives, plan, lines);
    return verifyBytes(primitives, verifier, 'exportProgressSignature', bound, signature);
  }
  throw new ArchiveError('malformed', 'nothing that is signed');
}

function boundTo(primitives: Primitives, plan: Uint8Array, lines: Uint8Array): Uint8Array {
  return concatBytes(primitives.sha256(plan), lines);
}
