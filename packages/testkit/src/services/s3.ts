import { createHash, randomBytes } from 'node:crypto';
import { startKeyService, type KeyService, type ServiceCall, type ServiceReply } from './key-service.ts';
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
  /** Whether what is overwritten and deleted is kept. Default: no. */
  keepVersions(keeps: boolean): void;
  /** Whether `If-Match` and `If-None-Match` of a PUT are heard. Default: yes. */
  hearConditions(hears: boolean): void;
}

/** An object of the bucket. */
interface TestObject {
  readonly bytes: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** How to start one. */
export interface TestS3Options {
  readonly now: () => number;
}

const [BUCKET, REGION] = ['keytide-attachments', 'eu-central-1'];
/** As S3 names what the check of the signature finds. */
const NAMES: Readonly<Record<string, string>> = {
  MissingAuthenticationTokenException: 'AccessDenied',
  UnrecognizedClientException: 'InvalidAccessKeyId',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  IncompleteSignature: 'AuthorizationHeaderMalformed',
};

/** Starts one with an empty bucket and one caller. */
export async function startTestS3({ now }: TestS3Options): Promise<TestS3> {
  const objects = new Map<string, TestObject>();
  let caller = newCaller();
  let keepsVersions = false;
  let hearsConditions = true;

  function answer(call: ServiceCall): ServiceReply {
    const wrong = refusedSignature(call, caller, { region: REGION, service: 's3', nowMs: now() });
    if (wrong !== null) return refused(403, NAMES[wrong] ?? wrong);
    const { pathname, searchParams } = new URL(call.path, 'http://s3');
    const [, bucket, ...rest] = pathname.split('/');
    if (bucket !== BUCKET) return refused(404, 'NoSuchBucket');
    const key = decodeURIComponent(rest.join('/'));
    if (key === '')
      return searchParams.get('list-type') === '2' ? list(searchParams) : refused(501, 'NotImplemented');
    if (call.method === 'PUT') return put(key, call);
    if (call.method === 'GET') return get(key);
    if (call.method !== 'DELETE') return refused(405, 'MethodNotAllowed');
    objects.delete(key);
    return { status: 204, body: new Uint8Array() };
  }

  function put(key: string, { headers, body }: ServiceCall): ServiceReply {
    const before = objects.get(key)?.headers['etag'];
    const match = headers['if-match'];
    if (hearsConditions && match !== undefined && before === undefined) return refused(404, 'NoSuchKey');
    if (hearsConditions && match !== undefined && match !== before) return refused(412, 'PreconditionFailed');
    if (hearsConditions && headers['if-none-match'] === '*' && before !== undefined)
      return refused(412, 'PreconditionFailed');
    const kept = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'));
    const etag = `"${createHash('md5').update(body).digest('hex')}"`;
    objects.set(key, { bytes: new Uint8Array(body), headers: { ...Object.fromEntries(kept), etag } });
    const version = keepsVersions ? { 'x-amz-version-id': randomBytes(16).toString('base64url') } : {};
    return { status: 200, body: new Uint8Array(), headers: { etag, ...version } };
  }

  function get(key: string): ServiceReply {
    const object = objects.get(key);
    if (object === undefined) return refused(404, 'NoSuchKey');
    return { status: 200, body: object.bytes, headers: object.headers };
  }

  function list(asked: URLSearchParams): ServiceReply {
    const prefix = asked.get('prefix') ?? '';
    const found = [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    const page = found.slice(0, Number(asked.get('max-keys') ?? 1000));
    const contents = page.map((key) => {
      const { bytes, headers } = objects.get(key) as TestObject;
      const tag = (headers['etag'] ?? '').replaceAll('"', '&quot;');
      return `<Contents><Key>${key}</Key><LastModified>2030-01-01T00:00:00.000Z</LastModified><ETag>${tag}</ETag><Size>${bytes.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
    });
    return xml(
      200,
      `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${BUCKET}</Name><Prefix>${prefix}</Prefix><KeyCount>${page.length}</KeyCount><IsTruncated>${page.length < found.length}</IsTruncated>${contents.join('')}</ListBucketResult>`,
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
    keepVersions: (keeps) => void (keepsVersions = keeps),
    hearConditions: (hears) => void (hearsConditions = hears),
  };
}

function newCaller(): AwsCaller {
  return {
    accessKeyId: `AKID${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(30).toString('base64'),
  };
}

function refused(status: number, code: string): ServiceReply {
  return xml(status, `<Error><Code>${code}</Code><Message>as you see</Message></Error>`);
}

function xml(status: number, text: string): ServiceReply {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
  return { status, body, headers: { 'content-type': 'application/xml' } };
}
