import { createHash, randomBytes } from 'node:crypto';
import { startKeyService, type KeyService, type ServiceCall, type ServiceReply } from './key-service.ts';
import { keyText, refused, sha256Text, xml } from './s3-reply.ts';
import { testUploads, type TestUpload } from './s3-uploads.ts';
import { refusedSignature, type AwsCaller } from './sigv4-check.ts';

/** A bucket on this machine: the wire protocol of S3, in the path's style, signatures checked. */
export interface TestS3 extends KeyService {
  readonly bucket: string;
  readonly region: string;
  /** Who may call now. */
  caller(): AwsCaller;
  /** Gives the caller another key, and takes the one before. */
  changeKey(): void;
  /** What is in the bucket; to look, and to spoil. */
  readonly objects: Map<string, TestObject>;
  /** The multipart uploads that were begun and are not completed, by id. */
  readonly uploads: ReadonlyMap<string, TestUpload>;
  /** Whether what is overwritten and deleted is kept. Default: no. */
  keepVersions(keeps: boolean): void;
  /** Whether `If-Match` and `If-None-Match` of a PUT are heard. Default: yes. */
  hearConditions(hears: boolean): void;
  /** What becomes of object locks. Default: refused, as by a bucket that was made without. */
  lockObjects(how: 'taken' | 'refused' | 'passed-over'): void;
  /** How many bytes more there is room for; `null` for enough. */
  leaveRoom(sizeBytes: number | null): void;
}

/** An object of the bucket. */
interface TestObject {
  readonly bytes: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** How to start one. */
export interface TestS3Options {
  readonly now: () => number;
  /** What a page of a list has at most. Default: 1000, as S3 has. */
  readonly pageSize?: number;
}

const [BUCKET, REGION] = ['keytide-attachments', 'eu-central-1'];
/** As S3 names what the check of the signature finds. */
const NAMES: Readonly<Record<string, string>> = {
  MissingAuthenticationTokenException: 'AccessDenied',
  UnrecognizedClientException: 'InvalidAccessKeyId',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  IncompleteSignature: 'AuthorizationHeaderMalformed',
};
const KEPT = /^x-amz-(?:meta-|object-lock-)/;

/** Starts one with an empty bucket and one caller. */
export async function startTestS3({ now, pageSize = 1000 }: TestS3Options): Promise<TestS3> {
  const objects = new Map<string, TestObject>();
  const uploads = testUploads(pageSize, store);
  let caller = newCaller();
  let keepsVersions = false;
  let hearsConditions = true;
  let locks: 'taken' | 'refused' | 'passed-over' = 'refused';
  let room: number | null = null;

  function answer(call: ServiceCall): ServiceReply {
    const wrong = refusedSignature(call, caller, { region: REGION, service: 's3', nowMs: now() });
    if (wrong !== null) return isLate(call) ? refused(403, 'RequestTimeTooSkewed') : named(wrong);
    const { pathname, searchParams } = new URL(call.path, 'http://s3');
    const [, bucket, ...rest] = pathname.split('/');
    if (bucket !== BUCKET) return refused(404, 'NoSuchBucket');
    const key = decodeURIComponent(rest.join('/'));
    if (call.method === 'PUT' || call.method === 'POST') {
      const no = refusedWriting(call);
      if (no !== null) return no;
    }
    const ofUpload = uploads.answer(key, searchParams, call);
    if (ofUpload !== null) return ofUpload;
    if (key === '')
      return searchParams.get('list-type') === '2' ? list(searchParams) : refused(501, 'NotImplemented');
    if (call.method === 'PUT') return put(key, call);
    if (call.method === 'GET' || call.method === 'HEAD') return get(key, call);
    if (call.method !== 'DELETE') return refused(405, 'MethodNotAllowed');
    objects.delete(key);
    return { status: 204, body: new Uint8Array() };
  }

  function isLate({ headers }: ServiceCall): boolean {
    const time = (headers['x-amz-date'] ?? '').replace(/^(....)(..)(..T..)(..)/, '$1-$2-$3:$4:');
    return Math.abs(Date.parse(time) - now()) > 900_000;
  }

  function refusedWriting({ headers, body }: ServiceCall): ServiceReply | null {
    const checksum = headers['x-amz-checksum-sha256'];
    if (checksum !== undefined && checksum !== sha256Text(body)) return refused(400, 'BadDigest');
    if (room !== null && body.length > room) return refused(507, 'XMinioStorageFull');
    if (room !== null) room -= body.length;
    if (headers['x-amz-object-lock-mode'] === undefined || locks === 'passed-over') return null;
    if (locks === 'refused')
      return refused(400, 'InvalidRequest', 'Bucket is missing Object Lock Configuration');
    if (checksum === undefined && headers['x-amz-checksum-algorithm'] === undefined)
      return refused(400, 'InvalidRequest', 'a checksum is required for object lock');
    const isLater = Date.parse(headers['x-amz-object-lock-retain-until-date'] ?? '') > now();
    return isLater ? null : refused(400, 'InvalidArgument');
  }

  function put(key: string, { headers, body }: ServiceCall): ServiceReply {
    const before = objects.get(key)?.headers['etag'];
    const match = headers['if-match'];
    if (hearsConditions && match !== undefined && before === undefined) return refused(404, 'NoSuchKey');
    if (hearsConditions && match !== undefined && match !== before) return refused(412, 'PreconditionFailed');
    if (hearsConditions && headers['if-none-match'] === '*' && before !== undefined)
      return refused(412, 'PreconditionFailed');
    return store(key, new Uint8Array(body), headers);
  }

  function store(key: string, bytes: Uint8Array, headers: Readonly<Record<string, string>>): ServiceReply {
    const kept = Object.entries(headers).filter(
      ([name]) => KEPT.test(name) && (locks !== 'passed-over' || !name.includes('object-lock')),
    );
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
    objects.set(key, { bytes, headers: { ...Object.fromEntries(kept), etag } });
    const version = keepsVersions ? { 'x-amz-version-id': randomBytes(16).toString('base64url') } : {};
    return { status: 200, body: new Uint8Array(), headers: { etag, ...version } };
  }

  function get(key: string, { method, headers: asked }: ServiceCall): ServiceReply {
    const object = objects.get(key);
    if (object === undefined)
      return method === 'HEAD' ? { status: 404, body: EMPTY } : refused(404, 'NoSuchKey');
    const { bytes, headers } = object;
    const match = asked['if-match'];
    if (match !== undefined && match !== headers['etag']) return refused(412, 'PreconditionFailed');
    const from = Number(/^bytes=(\d+)-$/.exec(asked['range'] ?? '')?.[1] ?? Number.NaN);
    if (method === 'HEAD') return { status: 200, body: EMPTY, headers };
    if (Number.isNaN(from)) return { status: 200, body: bytes, headers };
    if (from >= bytes.length) return refused(416, 'InvalidRange');
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    return { status: 206, body: bytes.subarray(from), headers: { ...headers, 'content-range': range } };
  }

  function list(asked: URLSearchParams): ServiceReply {
    const prefix = asked.get('prefix') ?? '';
    const after = Buffer.from(asked.get('continuation-token') ?? '', 'base64').toString();
    const found = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).toSorted();
    const page = found.slice(0, Math.min(pageSize, Number(asked.get('max-keys') ?? pageSize)));
    const contents = page.map((key) => {
      const { bytes, headers } = objects.get(key) as TestObject;
      const tag = (headers['etag'] ?? '').replaceAll('"', '&quot;');
      return `<Contents><Key>${keyText(key, asked)}</Key><LastModified>2030-01-01T00:00:00.000Z</LastModified><ETag>${tag}</ETag><Size>${bytes.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
    });
    const isTruncated = page.length < found.length;
    const token = Buffer.from(page.at(-1) ?? '').toString('base64');
    const next = isTruncated ? `<NextContinuationToken>${token}</NextContinuationToken>` : '';
    return xml(
      200,
      `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${BUCKET}</Name><Prefix>${prefix}</Prefix><KeyCount>${page.length}</KeyCount><IsTruncated>${isTruncated}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`,
    );
  }

  const service = await startKeyService(answer, refused(503, 'SlowDown'));
  return {
    ...service,
    bucket: BUCKET,
    region: REGION,
    caller: () => caller,
    changeKey: () => void (caller = { ...newCaller(), accessKeyId: caller.accessKeyId }),
    objects,
    uploads: uploads.open,
    keepVersions: (keeps) => void (keepsVersions = keeps),
    hearConditions: (hears) => void (hearsConditions = hears),
    lockObjects: (how) => void (locks = how),
    leaveRoom: (sizeBytes) => void (room = sizeBytes),
  };
}

const EMPTY = new Uint8Array();

function named(wrong: string): ServiceReply {
  return refused(403, NAMES[wrong] ?? wrong);
}

function newCaller(): AwsCaller {
  return {
    accessKeyId: `AKID${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(30).toString('base64'),
  };
}
