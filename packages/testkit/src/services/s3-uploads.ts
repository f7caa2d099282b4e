import { createHash, randomBytes } from 'node:crypto';
import type { ServiceCall, ServiceReply } from './key-service.ts';
import { keyText, refused, sha256Text, xml } from './s3-reply.ts';

/** A multipart upload that is not completed. */
export interface TestUpload {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, { readonly bytes: Uint8Array; readonly checksum: string }>;
}

/** Multipart uploads of a bucket: answers what is about one of them, `null` to anything else. */
export interface TestUploads {
  readonly open: Map<string, TestUpload>;
  answer(key: string, asked: URLSearchParams, call: ServiceCall): ServiceReply | null;
}

const MIN_PART_BYTES = 5 * 1024 * 1024;

/** @param store what makes an object of what is complete */
export function testUploads(
  pageSize: number,
  store: (key: string, bytes: Uint8Array, headers: Readonly<Record<string, string>>) => ServiceReply,
): TestUploads {
  const open = new Map<string, TestUpload>();

  function putPart(upload: TestUpload, number: number, { body, headers }: ServiceCall): ServiceReply {
    if (!(number >= 1 && number <= 10_000)) return refused(400, 'InvalidArgument');
    const checksum = headers['x-amz-checksum-sha256'];
    if (checksum === undefined) return refused(400, 'InvalidRequest', 'a checksum is missing');
    if (checksum !== sha256Text(body)) return refused(400, 'BadDigest');
    upload.parts.set(number, { bytes: new Uint8Array(body), checksum });
    return { status: 200, body: new Uint8Array(), headers: { etag: etagOf(body) } };
  }

  function complete(id: string, upload: TestUpload, body: Buffer): ServiceReply {
    const listed = [...body.toString().matchAll(/<Part>(.*?)<\/Part>/g)].map(([, part = '']) => part);
    const bytes: Uint8Array[] = [];
    for (const [index, text] of listed.entries()) {
      const number = Number(/<PartNumber>(\d+)</.exec(text)?.[1]);
      const part = upload.parts.get(number);
      const isLast = index === listed.length - 1;
      if (part === undefined || !text.includes(`<ETag>${etagOf(part.bytes)}</ETag>`))
        return refused(400, 'InvalidPart');
      if (!text.includes(`<ChecksumSHA256>${part.checksum}</ChecksumSHA256>`))
        return refused(400, 'InvalidPart', 'a checksum');
      if (!isLast && part.bytes.length < MIN_PART_BYTES) return refused(400, 'EntityTooSmall');
      bytes.push(part.bytes);
    }
    if (listed.length === 0) return refused(400, 'MalformedXML');
    open.delete(id);
    store(upload.key, new Uint8Array(Buffer.concat(bytes)), upload.headers);
    return xml(200, '<CompleteMultipartUploadResult></CompleteMultipartUploadResult>');
  }

  function list(asked: URLSearchParams): ServiceReply {
    const after = [asked.get('key-marker') ?? '', asked.get('upload-id-marker') ?? ''].join('\n');
    const found = [...open]
      .map(([id, { key }]) => ({ id, key }))
      .filter(({ id, key }) => key.startsWith(asked.get('prefix') ?? '') && `${key}\n${id}` > after)
      .toSorted((a, b) => (`${a.key}\n${a.id}` < `${b.key}\n${b.id}` ? -1 : 1));
    const page = found.slice(0, pageSize);
    const last = page.at(-1);
    const uploads = page.map(
      ({ id, key }) => `<Upload><Key>${keyText(key, asked)}</Key><UploadId>${id}</UploadId></Upload>`,
    );
    const next =
      last === undefined || page.length === found.length
        ? ''
        : `<NextKeyMarker>${keyText(last.key, asked)}</NextKeyMarker><NextUploadIdMarker>${last.id}</NextUploadIdMarker>`;
    return xml(
      200,
      `<ListMultipartUploadsResult><IsTruncated>${next !== ''}</IsTruncated>${next}${uploads.join('')}</ListMultipartUploadsResult>`,
    );
  }

  return {
    open,
    answer(key, asked, call) {
      if (key === '') return asked.has('uploads') && call.method === 'GET' ? list(asked) : null;
      if (asked.has('uploads') && call.method === 'POST') {
        const id = randomBytes(12).toString('base64url');
        open.set(id, { key, headers: call.headers, parts: new Map() });
        return xml(
          200,
          `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
        );
      }
      const id = asked.get('uploadId');
      if (id === null) return null;
      const upload = open.get(id);
      if (upload === undefined || upload.key !== key) return refused(404, 'NoSuchUpload');
      if (call.method === 'PUT') return putPart(upload, Number(asked.get('partNumber')), call);
      if (call.method === 'POST') return complete(id, upload, call.body);
      open.delete(id);
      return { status: 204, body: new Uint8Array() };
    },
  };
}

function etagOf(bytes: Uint8Array): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}
