import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceId, encodeUtf8, memberId, orgId, Secret, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { s3BlobStore, s3Bucket, type BlobName, type BlobStore } from '@keytide/server-relay';
import { folderDatabase, seededRandom, startTestS3, type TestS3 } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { folderBlobStore } from '../src/blob-store.ts';
import { createBlobs } from '../src/blobs.ts';
import { DEFAULT_LIMITS } from '../src/limits.ts';
import { parseConfig } from '../src/operate/config.ts';
import { examine } from '../src/operate/doctor.ts';
import type { Finding } from '../src/operate/finding.ts';
import { moveBlobs, runMoveBlobs } from '../src/operate/move-blobs.ts';
import { openStore, visitDatabase } from '../src/sql/open.ts';

const random = seededRandom('blobs that move');
const policy = { blockSeconds: 3600, retentionSeconds: 3600, exportSeconds: 30 * 86_400 };
const clock = { now: () => 0 };
const uploader = { id: deviceId(random(32)), member: memberId(random(16)) };
const newBlob = (): BlobName => ({ org: orgId(random(32)), id: toHex(random(32)) });
const [large, small, half] = [newBlob(), newBlob(), newBlob()];
const contents = new Map(
  [large, small, half].map((blob, at) => [blob, random([1_300_000, 9, 600_000][at] as number)]),
);
const HALF_BYTES = 300_000;
let folder: string;
let s3: TestS3;
let bucketStore: BlobStore;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-move-'));
  s3 = await startTestS3({ now: () => Date.now() });
  const { accessKeyId, secretAccessKey } = s3.caller();
  process.env['MOVE_BLOBS_KEY'] = secretAccessKey;
  const credentials = async () => ({
    accessKeyId,
    secretAccessKey: Secret.own(encodeUtf8(secretAccessKey) as Uint8Array),
    sessionToken: null,
  });
  bucketStore = s3BlobStore(
    s3Bucket({ bucket: s3.bucket, region: s3.region, endpoint: s3.url, credentials }),
  );
});
afterAll(async () => {
  delete process.env['MOVE_BLOBS_KEY'];
  await s3.close();
  await rm(folder, { recursive: true });
});

/** What doctor says of attachments under this configuration. */
async function attachments(config: ReturnType<typeof parseConfig>): Promise<Finding | undefined> {
  let found: Finding | undefined;
  for await (const finding of examine(config, Date.now()))
    if (finding.check === 'attachments') found = finding;
  return found;
}

test('attachments move from files into a bucket, from where it was broken off, and doctor says where they are not', async () => {
  const database = folderDatabase(folder);
  const files = folderBlobStore(join(folder, 'blobs'));
  const { store } = await openStore(database, primitives, 0);
  const relay = createBlobs({ index: store, logs: store, bytes: files, clock, limits: DEFAULT_LIMITS });
  for (const [blob, bytes] of contents) {
    await relay.start(blob, uploader, bytes.length);
    await relay.write(blob, uploader.id, 0, blob === half ? bytes.subarray(0, HALF_BYTES) : bytes);
  }
  const growth = { hashes: [], nodes: [], checkpoint: random(300) };
  await store.createOrganisation({ org: large.org, wire: random(9), growth, nowMs: 0 });
  const [forgotten, another] = [{ ...newBlob(), org: large.org }, newBlob()];
  for (const blob of [forgotten, another]) await files.write(blob, 0, random(9));
  // Of a write that was broken off.
  await files.write(half, HALF_BYTES, random(500));
  await store.close();
  const inFiles = parseConfig({ publicUrl: 'https://relay.example', dataFolder: folder }, {});
  const { bucket, region, url } = s3;
  const inBucket = parseConfig(
    {
      ...{ publicUrl: 'https://relay.example', dataFolder: folder, s3Bucket: bucket, s3Region: region },
      ...{ s3Endpoint: url, s3AccessKeyId: s3.caller().accessKeyId, s3SecretKey: 'env:MOVE_BLOBS_KEY' },
    },
    {},
  );
  expect(await attachments(inFiles)).toMatchObject({ verdict: 'ok' });
  expect(await attachments(inBucket)).toMatchObject({ verdict: 'fail' });

  const pathOf = ({ org, id }: BlobName): string => join(folder, 'blobs', org, id);
  const stranger = join(folder, 'blobs', 'note');
  await writeFile(stranger, 'not ours');
  let writes = 0;
  const breaking: BlobStore = {
    ...bucketStore,
    write: (...of) =>
      (writes += 1) > 1 ? Promise.reject(new Error('broken off')) : bucketStore.write(...of),
  };
  const visited = await visitDatabase(database);
  if (visited === null) throw new Error('no database');
  const from = join(folder, 'blobs');
  await expect(moveBlobs(visited, { from, to: breaking }, () => undefined)).rejects.toThrow('broken off');
  await visited.close();
  expect([...contents.keys()].filter((blob) => existsSync(pathOf(blob))).length).toBeGreaterThan(1);

  const told: object[] = [];
  expect(await runMoveBlobs(inBucket, {}, (line) => void told.push(line))).toBe(0);
  expect(told.at(-1)).toMatchObject({ event: 'moved-blobs' });
  expect([...contents.keys()].filter((blob) => existsSync(pathOf(blob)))).toEqual([]);
  expect([stranger, pathOf(forgotten), pathOf(another)].map(existsSync)).toEqual([true, false, true]);
  expect(await attachments(inBucket)).toMatchObject({ verdict: 'ok' });
  expect(await attachments(inFiles)).toMatchObject({ verdict: 'fail' });

  // The relay goes on with the bucket, also where an upload was under way.
  const again = await openStore(database, primitives, 0);
  const moved = createBlobs({
    index: again.store,
    logs: again.store,
    bytes: bucketStore,
    clock,
    limits: DEFAULT_LIMITS,
  });
  const bytes = contents.get(half) as Uint8Array;
  await moved.write(half, uploader.id, HALF_BYTES, bytes.subarray(HALF_BYTES));
  for (const [blob, content] of contents)
    expect(await moved.read(blob, policy, 0, content.length)).toEqual(content);
  await again.store.close();
});
