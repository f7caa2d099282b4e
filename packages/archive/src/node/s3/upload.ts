import { toHex } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { ArchiveError } from '../../errors.ts';
import { elementsOf, keyIn, tagIn } from './list.ts';
import type { Part } from './parts.ts';
import type { S3Service } from './service.ts';

/** An object on its way: where to, and the headers that it is to have. */
export interface Upload {
  readonly service: S3Service;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Names this very writing of an object, so that one whose answer was lost is known again. */
const WRITING = 'x-amz-meta-keytide-writing';
const CHECKSUM = 'x-amz-checksum-sha256';

/**
 * Writes an object in one request; the service checks its SHA-256.
 * @param isNew there must be none yet, or it is refused with `other-export`
 */
export async function putObject(
  { service, key, headers }: Upload,
  body: Uint8Array,
  isNew: boolean,
): Promise<void> {
  const writing = toHex(nodeRandom(16));
  const condition: Record<string, string> = isNew ? { 'if-none-match': '*' } : {};
  const { status } = await service.ask({
    ...{ method: 'PUT', key, body, expected: isNew ? [412] : [] },
    headers: { ...headers, ...condition, [WRITING]: writing, [CHECKSUM]: sha256Of(body) },
  });
  if (status === 412 && !(await isWritten(service, key, writing)))
    throw new ArchiveError('other-export', 'another export was begun here at the same time');
}

/** Writes an object in parts. Stopped, or refused, none of it stays, nor of an earlier attempt at the same object. */
export async function putParts({ service, key, headers }: Upload, parts: AsyncIterable<Part>): Promise<void> {
  try {
    await sendParts({ service, key, headers }, parts);
  } catch (error) {
    await endUploads(service, key, (found) => found === key, 'once').catch(() => {});
    throw error;
  }
  // One that was begun twice, because the first answer was lost. If that fails, the next export ends it.
  await endUploads(service, key, (found) => found === key, 'once').catch(() => {});
}

async function sendParts({ service, key, headers }: Upload, parts: AsyncIterable<Part>): Promise<void> {
  const writing = toHex(nodeRandom(16));
  const begun = await service.ask({
    ...{ method: 'POST', key, query: { uploads: '' } },
    headers: { ...headers, [WRITING]: writing, 'x-amz-checksum-algorithm': 'SHA256' },
  });
  const uploadId = tagIn(begun.text, 'UploadId');
  const list: string[] = [];
  for await (const { bytes } of parts) {
    const number = list.length + 1;
    const checksum = sha256Of(bytes);
    const { status, headers: answered } = await service.ask({
      ...{ method: 'PUT', key, query: { partNumber: String(number), uploadId }, body: bytes },
      ...{ headers: { [CHECKSUM]: checksum }, expected: [404] },
    });
    if (status === 404) throw endedByOther();
    list.push(
      `<Part><PartNumber>${number}</PartNumber><ETag>${answered.etag ?? ''}</ETag><ChecksumSHA256>${checksum}</ChecksumSHA256></Part>`,
    );
  }
  const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`);
  const { status, text } = await service.ask({
    ...{ method: 'POST', key, query: { uploadId }, body, expected: [404] },
    headers: { 'content-type': 'application/xml' },
  });
  const isDone = status === 200 && text.includes('<CompleteMultipartUploadResult');
  // Or it was completed, and the answer was lost.
  if (!isDone && !(await isWritten(service, key, writing))) throw endedByOther();
}

/** Ends the uploads to keys that begin so and are `ours`, and were not completed: what they hold takes room. */
export async function endUploads(
  service: S3Service,
  prefix: string,
  isOurs: (key: string) => boolean,
  once?: 'once',
): Promise<void> {
  const open: { key: string; uploadId: string }[] = [];
  for await (const upload of elementsOf(service, { element: 'Upload', query: { uploads: '', prefix } }, once))
    open.push({ key: keyIn(upload), uploadId: tagIn(upload, 'UploadId') });
  for (const { key, uploadId } of open)
    if (isOurs(key)) await service.ask({ method: 'DELETE', key, query: { uploadId }, expected: [404] }, once);
}

async function isWritten(service: S3Service, key: string, writing: string): Promise<boolean> {
  const { headers } = await service.ask({ method: 'HEAD', key, expected: [404] });
  return headers[WRITING] === writing;
}

function endedByOther(): ArchiveError {
  return new ArchiveError('destination-failed', 'another export has ended what this one was writing');
}

function sha256Of(bytes: Uint8Array): string {
  return Buffer.from(nodePrimitives.sha256(bytes)).toString('base64');
}
