import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { orgId, toHex } from '@keytide/crypto-core';
import { nodeRandom } from '@keytide/crypto-core/node';
import { blobStoreConformance, seededRandom, startTestS3, type TestS3 } from '@keytide/testkit';
import { s3BlobStore, s3Bucket, type BlobName, type BlobStore, type S3Access } from '@keytide/server-relay';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { checkS3Bucket } from '../src/keys/check-s3-bucket.ts';
import { bucketUrl, type S3Bucket } from '../src/keys/s3-bucket.ts';
import { parseConfig } from '../src/operate/config.ts';
import { examine } from '../src/operate/doctor.ts';
import { failureOf, impatient, secret } from './keys/services.ts';

const NO_KEY = { s3AccessKeyId: undefined, s3SecretKey: undefined };
const BLOCK = 262_208;
const random = seededRandom('blobs in a bucket');
const newBlob = (): BlobName => ({ org: orgId(random(32)), id: toHex(random(32)) });
let s3: TestS3;
beforeAll(async () => {
  s3 = await startTestS3({ now: () => Date.now() });
});
afterAll(() => s3.close());

const access = (changes: Partial<S3Access> = {}): S3Access => {
  const { accessKeyId, secretAccessKey } = s3.caller();
  const credentials = { accessKeyId, secretAccessKey: secret(secretAccessKey), sessionToken: null };
  const { bucket, region, url: endpoint } = s3;
  const limits = { timeoutMs: 1000, attempts: 3, pauseMs: 1 };
  return { bucket, region, endpoint, limits, credentials: async () => credentials, ...changes };
};
const storeOf = (changes?: Partial<S3Access>): BlobStore => s3BlobStore(s3Bucket(access(changes)));
const reasonOf = (call: Promise<unknown>) => failureOf(call, [s3.caller().secretAccessKey]);
const keyOf = ({ org, id }: BlobName, block = 0): string => `${org}/${id}/${block}`;

blobStoreConformance('a bucket', async () => storeOf(), { describe, it });

test('a block that is whole is written at once; the next bytes of one are put behind what is there', async () => {
  const [store, blob, bytes] = [storeOf(), newBlob(), random(2 * BLOCK + 10)];
  const before = s3.calls.length;
  await store.write(blob, 0, bytes);
  expect(s3.calls.slice(before).map(({ method }) => method)).toEqual(['PUT', 'PUT', 'PUT']);
  expect(s3.objects.get(keyOf(blob))?.bytes).toHaveLength(BLOCK);
  expect(s3.objects.get(keyOf(blob, 2))?.bytes).toEqual(bytes.slice(2 * BLOCK));
  expect(await store.read(blob, BLOCK - 1, BLOCK + 2)).toEqual(bytes.slice(BLOCK - 1, 2 * BLOCK + 1));
  await store.remove(blob);
  expect([...s3.objects.keys()].filter((key) => key.startsWith(blob.org))).toEqual([]);
});

test('what two relays write to one block at once, both of it stays', async () => {
  const [blob, bytes] = [newBlob(), random(300)];
  await storeOf().write(blob, 0, bytes.subarray(0, 100));
  const bucket = s3Bucket(access());
  const late: S3Bucket = {
    ...bucket,
    async get(key) {
      const before = await bucket.get(key);
      // Between what this one has read and what it writes.
      if (before?.bytes.length === 100) await storeOf().write(blob, 100, bytes.subarray(100));
      return before;
    },
  };
  await s3BlobStore(late).write(blob, 100, bytes.subarray(100, 200));
  expect(await storeOf().read(blob, 0, 300)).toEqual(bytes);
});

test('more blocks than a page lists are removed, and a bucket that keeps them is no endless loop', async () => {
  const [store, blob] = [storeOf(), newBlob()];
  await store.write(blob, 0, random(1));
  const object = s3.objects.get(keyOf(blob));
  if (object === undefined) throw new Error('no object');
  for (let block = 1; block < 260; block += 1) s3.objects.set(keyOf(blob, block), object);
  await store.remove(blob);
  expect([...s3.objects.keys()].filter((key) => key.startsWith(blob.org))).toEqual([]);
  const bucket = s3Bucket(access());
  await store.write(blob, 0, random(1));
  const kept = s3BlobStore({ ...bucket, delete: async () => undefined });
  expect(await reasonOf(kept.remove(blob))).toEqual({ code: 'blobs-failed', reason: null });
});

test('an object that is altered, shorter, or of somebody else is not given', async () => {
  const [store, blob, bytes] = [storeOf(), newBlob(), random(1000)];
  await store.write(blob, 0, bytes);
  const object = s3.objects.get(keyOf(blob));
  if (object === undefined) throw new Error('no object');
  const altered = bytes.slice();
  altered[999] = (altered[999] as number) ^ 1;
  const damaged = { code: 'blobs-failed', reason: 'damaged' };
  for (const spoilt of [
    { ...object, bytes: altered },
    { ...object, bytes: bytes.slice(0, 999) },
    { ...object, headers: { etag: '"x"' } },
  ]) {
    s3.objects.set(keyOf(blob), spoilt);
    expect(await reasonOf(store.read(blob, 0, 10))).toEqual(damaged);
  }
  s3.objects.delete(keyOf(blob));
  expect(await reasonOf(store.read(blob, 0, 10))).toEqual({ code: 'blobs-failed', reason: null });
});

test('what may pass is asked again, what does not is told by its name, and nothing shows a secret', async () => {
  const [store, blob] = [storeOf(), newBlob()];
  await store.write(blob, 0, random(10));
  s3.fail('throttle', 'broken', 'cut');
  expect(await reasonOf(store.read(blob, 0, 10))).toEqual({ code: 'blobs-failed', reason: 'unreachable' });
  s3.fail('broken', 'throttle');
  expect(await store.read(blob, 0, 10)).toHaveLength(10);
  s3.fail('garbage');
  expect(await reasonOf(store.read(blob, 0, 10))).toEqual({ code: 'blobs-failed', reason: 'damaged' });
  s3.fail('redirect');
  expect(await reasonOf(store.read(blob, 0, 10))).toEqual({ code: 'blobs-failed', reason: 'http-307' });
  s3.fail('hang', 'hang');
  const hurried = storeOf({ limits: impatient });
  expect(await reasonOf(hurried.read(blob, 0, 10))).toEqual({ code: 'blobs-failed', reason: 'timeout' });
  for (const [changes, reason] of [
    [{ bucket: 'no-such-bucket' }, 'NoSuchBucket'],
    [{ region: 'us-east-1' }, 'SignatureDoesNotMatch'],
    [{ clock: { now: () => Date.now() - 3_600_000 } }, 'RequestTimeTooSkewed'],
    [{ endpoint: 'http://127.0.0.1:1' }, 'unreachable'],
  ] as const)
    for (const work of [
      storeOf(changes).read(blob, 0, 10),
      storeOf(changes).write(blob, 10, random(1)),
      storeOf(changes).remove(blob),
    ])
      expect(await reasonOf(work)).toEqual({ code: 'blobs-failed', reason });
  const before = storeOf();
  s3.changeKey();
  expect(await reasonOf(before.read(blob, 0, 10))).toEqual({
    code: 'blobs-failed',
    reason: 'SignatureDoesNotMatch',
  });
  expect(await storeOf().read(blob, 0, 10)).toHaveLength(10);
});

test('a bucket that forgets nothing, or does not hear conditions, is found out', async () => {
  const check = () => checkS3Bucket(s3Bucket(access()), nodeRandom);
  await check();
  s3.keepVersions(true);
  await expect(check()).rejects.toMatchObject({ code: 'key-service-refused', reason: 'versioned' });
  s3.keepVersions(false);
  s3.hearConditions(false);
  await expect(check()).rejects.toMatchObject({ code: 'key-service-refused', reason: 'no-conditions' });
  s3.hearConditions(true);
  expect([...s3.objects.keys()].filter((key) => key.startsWith('keytide-check/'))).toEqual([]);
});

test('doctor tries the bucket of a configuration, with its access key or those of AWS', async () => {
  const { accessKeyId, secretAccessKey } = s3.caller();
  const folder = join(tmpdir(), 'keytide-no-such-folder');
  const findingOf = async (changes: Record<string, unknown> = {}) => {
    const place = { s3Bucket: s3.bucket, s3Region: s3.region, s3Endpoint: s3.url };
    const key = { s3AccessKeyId: accessKeyId, s3SecretKey: 'env:KEYTIDE_TEST_S3' };
    const config = parseConfig({ dataFolder: folder, ...place, ...key, ...changes }, {});
    for await (const finding of examine(config, Date.now())) {
      expect(JSON.stringify(finding)).not.toContain(secretAccessKey);
      if (finding.check === 's3Bucket') return finding;
    }
    return null;
  };
  Object.assign(process.env, { KEYTIDE_TEST_S3: secretAccessKey, KEYTIDE_TEST_NO_S3: 'another-key' });
  try {
    expect(await findingOf()).toMatchObject({ verdict: 'ok' });
    expect(
      await findingOf({ s3Bucket: undefined, s3Region: undefined, s3Endpoint: undefined, ...NO_KEY }),
    ).toBeNull();
    s3.keepVersions(true);
    expect(await findingOf()).toMatchObject({
      verdict: 'fail',
      says: expect.stringContaining('versioned') as string,
    });
    s3.keepVersions(false);
    const says = expect.stringContaining('SignatureDoesNotMatch') as string;
    expect(await findingOf({ s3SecretKey: 'env:KEYTIDE_TEST_NO_S3' })).toMatchObject({
      verdict: 'fail',
      says,
    });
    expect(await findingOf({ s3SecretKey: 'env:NO_SUCH' })).toMatchObject({ verdict: 'fail' });
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
    expect(await findingOf(NO_KEY)).toMatchObject({ verdict: 'ok' });
  } finally {
    const names = ['KEYTIDE_TEST_S3', 'KEYTIDE_TEST_NO_S3', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
    for (const name of names) delete process.env[name];
  }
});

test('the bucket is in the host at AWS, and in the path elsewhere', () => {
  const place = { bucket: 'my-bucket', region: 'eu-central-1' };
  expect(bucketUrl(place)).toBe('https://my-bucket.s3.eu-central-1.amazonaws.com');
  expect(bucketUrl({ ...place, bucket: 'my.bucket' })).toBe(
    'https://s3.eu-central-1.amazonaws.com/my.bucket',
  );
  expect(bucketUrl({ ...place, region: 'cn-north-1' })).toBe(
    'https://my-bucket.s3.cn-north-1.amazonaws.com.cn',
  );
  const endpoint = 'https://minio.example:9000/s3/';
  expect(bucketUrl({ ...place, endpoint })).toBe('https://minio.example:9000/s3/my-bucket');
  expect(bucketUrl({ ...place, endpoint, pathStyle: false })).toBe('https://my-bucket.minio.example:9000/s3');
  for (const wrong of [
    { bucket: 'No Bucket' },
    { bucket: '../x' },
    { region: 'x/y' },
    { endpoint: 'http://minio.example' },
  ])
    expect(() => bucketUrl({ ...place, ...wrong })).toThrow(
      expect.objectContaining({ code: 'bad-reference' }),
    );
});
