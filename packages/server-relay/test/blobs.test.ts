import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex, type MemberId, type OrgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { createRevokeDevice } from '@keytide/key-directory';
import { LIMITS } from '@keytide/relay-protocol';
import {
  DEFAULT_LIMITS,
  folderBlobStore,
  memoryBlobStore,
  openStore,
  s3BlobStore,
  s3Bucket,
  type RelayStore,
} from '@keytide/server-relay';
import {
  blobStoreConformance,
  folderDatabase,
  memoryDatabase,
  type SeededDevice,
  seededRandom,
  seededWorld,
  startTestS3,
  type TestS3,
} from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { createBlobs } from '../src/blobs.ts';
import { limits, secret } from './keys/services.ts';
import { appendLog, call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const folder = await mkdtemp(join(tmpdir(), 'keytide-blobs-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
const memory = memoryBlobStore();
blobStoreConformance('a folder', async () => folderBlobStore(join(folder, 'blobs')), { describe, it });
blobStoreConformance('memory', async () => memory, { describe, it });

const world = seededWorld({ seed: 'blobs', members: 2, devicesPerMember: 2 });
const other = seededWorld({ seed: 'blobs of another organisation', members: 1 });
const { org } = world;
const random = seededRandom('bytes of blobs');
const [[admin], [member, another]] = world.members.map(({ devices }) => devices) as unknown as [
  [SeededDevice],
  [SeededDevice, SeededDevice],
];
const uploader = { id: member.id, member: world.members[1]?.id as MemberId };
let relay: RelayUnderTest;
let s3: TestS3;

beforeAll(async () => {
  s3 = await startTestS3({ now: () => world.clock.now() });
  const { accessKeyId, secretAccessKey } = s3.caller();
  const credentials = { accessKeyId, secretAccessKey: secret(secretAccessKey), sessionToken: null };
  const place = { bucket: s3.bucket, region: s3.region, endpoint: s3.url, clock: world.clock, limits };
  relay = await relayUnderTest({
    clock: world.clock,
    blobStore: s3BlobStore(s3Bucket({ ...place, credentials: async () => credentials })),
    limits: { blobBytes: 4_000_000, blobBytesOfMember: 3_000_000 },
  });
  await settle(relay, world);
  await settle(relay, other);
});
afterAll(async () => {
  await relay.close();
  await s3.close();
});

const newId = (): string => toHex(random(32));

/** One device's calls about blobs. */
async function caller(device: SeededDevice, of = world) {
  const token = await tokenOf(relay, of.org, device);
  const base = `/organisations/${of.org}/blobs`;
  const fetchBytes = (path: string, init: RequestInit = {}) =>
    fetch(`${relay.url}/v1${base}/${path}`, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
    });
  const outcome = async (response: Response) => {
    const { code, receivedBytes } = (await response.json()) as { code?: string; receivedBytes?: number };
    return code ?? receivedBytes;
  };
  return {
    async start(id: string, sizeBytes: unknown) {
      const { body } = await call(relay, 'POST', `${base}/${id}`, { token, body: { sizeBytes } });
      return body.code ?? (body as unknown as { receivedBytes: number }).receivedBytes;
    },
    async write(id: string, offset: number | string, bytes: Uint8Array) {
      const body = bytes.slice();
      const headers = { 'content-type': 'application/octet-stream' };
      return outcome(await fetchBytes(`${id}?offset=${offset}`, { method: 'PUT', headers, body }));
    },
    async read(id: string, offset: number | string, sizeBytes: number | string) {
      const response = await fetchBytes(`${id}?offset=${offset}&sizeBytes=${sizeBytes}`);
      return response.ok ? new Uint8Array(await response.arrayBuffer()) : outcome(response);
    },
  };
}

test('what one device uploads in pieces, every device of the organisation reads in stretches', async () => {
  const [id, bytes] = [newId(), random(300_000)];
  const mine = await caller(member);
  expect(await mine.start(id, bytes.length)).toBe(0);
  expect(await mine.write(id, 0, bytes.subarray(0, 100_000))).toBe(100_000);
  const theirs = await caller(admin);
  expect(await theirs.read(id, 0, 10)).toBe('no-blob');
  expect(await mine.read(id, 0, 10)).toBe('no-blob');
  expect(await mine.write(id, 100_000, bytes.subarray(100_000))).toBe(300_000);
  expect(await theirs.read(id, 0, 300_000)).toEqual(bytes);
  expect(await theirs.read(id, 99_999, 2)).toEqual(bytes.slice(99_999, 100_001));
  expect(await theirs.read(id, 299_999, 100)).toEqual(bytes.slice(299_999));
  expect(await theirs.read(id, 300_000, 100)).toEqual(new Uint8Array());
  const foreign = await caller(other.members[0].devices[0], other);
  expect(await foreign.read(id, 0, 10)).toBe('no-blob');
  expect(await foreign.start(id, 5)).toBe(0);
});

test('while its bucket is down a relay goes on with everything else, and with attachments when it is back', async () => {
  const [id, bytes] = [newId(), random(3)];
  const mine = await caller(member);
  await mine.start(id, bytes.length);
  s3.fail('broken', 'broken', 'broken');
  const before = relay.events.length;
  expect(await mine.write(id, 0, bytes)).toBe('unavailable');
  expect(relay.events.slice(before)).toEqual([{ event: 'failed', where: 'http', code: 'blobs-failed' }]);
  expect((await call(relay, 'GET', '/health')).status).toBe(200);
  expect(await mine.start(id, bytes.length)).toBe(0);
  expect(await mine.write(id, 0, bytes)).toBe(3);
  s3.fail('broken', 'broken', 'broken');
  expect(await mine.read(id, 0, 3)).toBe('unavailable');
  expect(await mine.read(id, 0, 3)).toEqual(bytes);
});

test('an upload goes on after the last byte that is safe; what comes again or breaks off does no harm', async () => {
  const [id, bytes] = [newId(), random(1000)];
  const mine = await caller(member);
  await mine.start(id, 1000);
  expect(await mine.write(id, 1, bytes.subarray(1, 5))).toBe('wrong-offset');
  expect(await mine.write(id, 0, bytes.subarray(0, 400))).toBe(400);
  expect(await mine.write(id, 0, bytes.subarray(0, 400))).toBe(400);
  expect(await mine.write(id, 0, random(300))).toBe(400);
  expect(await mine.write(id, 300, bytes.subarray(300, 600))).toBe(600);
  expect(await mine.start(id, 1000)).toBe(600);
  expect(await mine.write(id, 601, bytes.subarray(601))).toBe('wrong-offset');
  expect(await mine.write(id, 600, random(401))).toBe('too-large');
  const twice = [mine.write(id, 600, bytes.subarray(600)), mine.write(id, 600, bytes.subarray(600))];
  expect(await Promise.all(twice)).toEqual([1000, 1000]);
  expect(await mine.write(id, 0, random(1000))).toBe(1000);
  expect(await mine.read(id, 0, 1000)).toEqual(bytes);
});

test('only the device that started an upload goes on with it', async () => {
  const id = newId();
  const mine = await caller(member);
  await mine.start(id, 10);
  const sister = await caller(another);
  for (const device of [sister, await caller(admin)]) {
    expect(await device.start(id, 10)).toBe('blob-taken');
    expect(await device.write(id, 0, random(10))).toBe('no-blob');
  }
  expect(await mine.start(id, 11)).toBe('blob-taken');
  expect(await mine.write(newId(), 0, random(10))).toBe('no-blob');
  expect(await mine.start(id, 10)).toBe(0);
  const wire = createRevokeDevice({
    ...world.as(member),
    device: another.id,
  });
  expect((await appendLog(relay, org, await tokenOf(relay, org, member), wire)).status).toBe(201);
  world.append(wire);
  expect(await sister.start(newId(), 10)).toBe('session-ended');
  expect(await sister.write(id, 0, random(10))).toBe('session-ended');
  expect(await sister.read(id, 0, 10)).toBe('session-ended');
});

test('what is no size, no place and no id is refused, and more than a piece at once', async () => {
  const mine = await caller(member);
  const id = newId();
  for (const sizeBytes of [0, -1, 1.5, '7', LIMITS.blobBytes + 1])
    expect(await mine.start(id, sizeBytes), String(sizeBytes)).toBe('malformed');
  expect(await mine.start('ab', 1)).toBe('malformed');
  await mine.start(id, LIMITS.blobPieceBytes + 1);
  for (const offset of ['', '-1', '01', '1e3', '99999999999999'])
    expect(await mine.write(id, offset, random(1)), offset).toBe('malformed');
  expect(await mine.write(id, 0, random(LIMITS.blobPieceBytes + 1))).toBe('too-large');
  expect(await mine.write(id, 0, random(LIMITS.blobPieceBytes))).toBe(LIMITS.blobPieceBytes);
  expect(await mine.read(id, 0, LIMITS.blobPieceBytes + 1)).toBe('malformed');
  expect(await mine.read(id, 0, 0)).toBe('malformed');
});

test('the bytes of somebody who is not let in are not read', async () => {
  const url = `${relay.url}/v1/organisations/${org}/blobs/${newId()}?offset=0`;
  const headers = { 'content-type': 'application/octet-stream' };
  const body = random(LIMITS.blobPieceBytes + 1).slice();
  const response = await fetch(url, { method: 'PUT', headers, body });
  expect(await response.json()).toMatchObject({ code: 'session-ended' });
});

test('an upload goes on after a restart of the relay', async () => {
  const place = join(folder, 'restart');
  const own = seededWorld({ seed: 'blobs over a restart', members: 1 });
  const start = () => relayUnderTest({ database: folderDatabase(place), clock: own.clock });
  const before = relay;
  relay = await start();
  try {
    await settle(relay, own);
    const device = own.members[0].devices[0];
    const [id, bytes] = [newId(), random(1000)];
    const first = await caller(device, own);
    await first.start(id, 1000);
    expect(await first.write(id, 0, bytes.subarray(0, 600))).toBe(600);
    await relay.close();
    relay = await start();
    const second = await caller(device, own);
    expect(await second.start(id, 1000)).toBe(600);
    expect(await second.write(id, 600, bytes.subarray(600))).toBe(1000);
    expect(await second.read(id, 0, 1000)).toEqual(bytes);
    expect(await readdir(join(place, 'blobs', own.org))).toEqual([id]);
  } finally {
    await relay.close();
    relay = before;
  }
});

test('a member uploads no more than a share, an organisation no more than its quota; begun counts as uploaded', async () => {
  const own = seededWorld({ seed: 'blobs and shares', members: 2, devicesPerMember: 2 });
  await settle(relay, own);
  const [[first, second], [third]] = own.members.map(({ devices }) => devices) as unknown as [
    [SeededDevice, SeededDevice],
    [SeededDevice],
  ];
  const mine = await caller(first, own);
  const sister = await caller(second, own);
  const others = await caller(third, own);
  expect(await mine.start(newId(), 3_000_001)).toBe('quota-exceeded');
  const large = newId();
  expect(await mine.start(large, 2_900_000)).toBe(0);
  for (const device of [mine, sister]) expect(await device.start(newId(), 100_001)).toBe('quota-exceeded');
  // Refused, it has taken nothing; what was begun goes on, and others upload.
  expect(await mine.write(large, 0, random(10))).toBe(10);
  expect(await sister.start(newId(), 100_000)).toBe(0);
  expect(await others.start(newId(), 900_000)).toBe(0);
  expect(await others.start(newId(), 200_000)).toBe('quota-exceeded');
});

test('a blob whose time is over is not given any more, also before it is deleted', async () => {
  const late = seededWorld({ seed: 'blobs with a time', members: 1 });
  const relayOfIts = await relayUnderTest({ clock: late.clock });
  const before = relay;
  relay = relayOfIts;
  try {
    await settle(relay, late);
    const device = late.members[0].devices[0];
    const mine = await caller(device, late);
    const id = newId();
    await mine.start(id, 5);
    late.clock.advance(DAY_MS);
    const now = await caller(device, late);
    await now.write(id, 0, random(5));
    late.clock.advance(30 * DAY_MS);
    expect(await (await caller(device, late)).read(id, 0, 5)).toHaveLength(5);
    late.clock.advance(1);
    expect(await (await caller(device, late)).read(id, 0, 5)).toBe('no-blob');
  } finally {
    relay = before;
    await relayOfIts.close();
  }
});

describe('what is over', () => {
  let store: RelayStore;
  beforeAll(async () => {
    store = (await openStore(memoryDatabase(), primitives, 0)).store;
  });
  afterAll(() => store.close());

  test('is deleted, bytes and all: whole blobs after the export period, uploads a week after they were begun', async () => {
    const place = join(folder, 'old');
    const clock = { nowMs: 0, now: () => clock.nowMs };
    const bytes = folderBlobStore(place);
    const blobs = createBlobs({ index: store, logs: store, bytes, clock, limits: DEFAULT_LIMITS });
    const policy = { blockSeconds: 3600, retentionSeconds: 3600, exportSeconds: 30 * 24 * 3600 };
    const tick = () => blobs.forgetOld(async () => policy);
    const [whole, half] = [newId(), newId()].map((id) => ({ org, id })) as [never, never];
    await blobs.start(whole, uploader, 10);
    await blobs.write(whole, member.id, 0, random(10));
    await blobs.start(half, uploader, 10);
    await blobs.write(half, member.id, 0, random(8));
    const names = async (): Promise<number> => (await readdir(join(place, org))).length;
    // Whoever goes on byte by byte keeps the room no longer.
    clock.nowMs = 7 * DAY_MS;
    await blobs.write(half, member.id, 8, random(1));
    await tick();
    expect(await names()).toBe(2);
    clock.nowMs += 1;
    await tick();
    expect(await names()).toBe(1);
    await expect(blobs.write(half, member.id, 9, random(1))).rejects.toMatchObject({ code: 'no-blob' });
    clock.nowMs = 30 * DAY_MS;
    await tick();
    expect(await blobs.read(whole, policy, 0, 10)).toHaveLength(10);
    clock.nowMs += 1;
    await blobs.forgetOld(async () => null);
    expect(await names()).toBe(1);
    await tick();
    expect(await names()).toBe(0);
    expect(await store.readBlob(whole)).toBeNull();
    await tick();
  });

  test('stays when its upload became whole after it was found to take too long', async () => {
    const clock = { nowMs: 0, now: () => clock.nowMs };
    const bytes = memoryBlobStore();
    const blob = { org, id: newId() };
    const index = {
      ...store,
      async listOldBlobs(...args: Parameters<RelayStore['listOldBlobs']>) {
        const old = await store.listOldBlobs(...args);
        await blobs.write(blob, member.id, 9, random(1));
        return old;
      },
    };
    const blobs = createBlobs({ index, logs: store, bytes, clock, limits: DEFAULT_LIMITS });
    await blobs.start(blob, uploader, 10);
    await blobs.write(blob, member.id, 0, random(9));
    clock.nowMs = 8 * DAY_MS;
    const policy = { blockSeconds: 3600, retentionSeconds: 3600, exportSeconds: 30 * 24 * 3600 };
    await blobs.forgetOld(async () => policy);
    expect(await blobs.read(blob, policy, 0, 10)).toHaveLength(10);
  });

  test('stays when it was found released, and is held by the time that its turn comes', async () => {
    const clock = { nowMs: 31 * DAY_MS, now: () => clock.nowMs };
    let held: number | null = null;
    const index = {
      ...store,
      async listOldBlobs(...args: Parameters<RelayStore['listOldBlobs']>) {
        const old = await store.listOldBlobs(...args);
        held = 10;
        return old;
      },
    };
    const logs = { firstDayHeld: () => Promise.resolve(held) };
    const blobs = createBlobs({ index, bytes: memoryBlobStore(), logs, clock, limits: DEFAULT_LIMITS });
    const blob = { org, id: newId() };
    clock.nowMs = 9 * DAY_MS;
    await blobs.start(blob, uploader, 10);
    await blobs.write(blob, member.id, 0, random(10));
    clock.nowMs = 60 * DAY_MS;
    const retention = { exportSeconds: 30 * 24 * 3600 };
    expect((await blobs.forgetOld(async () => retention)).count).toBeGreaterThan(0);
    expect(await blobs.read(blob, retention, 0, 10)).toHaveLength(10);
    expect(await blobs.forgetOld(async () => ({ ...retention, exportWaived: true }))).toEqual({
      ...{ count: 0, sizeBytes: 0 },
    });
    await expect(blobs.read(blob, retention, 0, 10)).rejects.toMatchObject({ code: 'no-blob' });
  });

  test('is found again when deleting it was broken off', async () => {
    const clock = { nowMs: 0, now: () => clock.nowMs };
    const removed: string[] = [];
    let breaks = true;
    const bytes = {
      ...memoryBlobStore(),
      async remove({ id }: { id: string }) {
        if (breaks) throw new Error('cut off');
        removed.push(id);
      },
    };
    const blobs = createBlobs({ index: store, logs: store, bytes, clock, limits: DEFAULT_LIMITS });
    const blob = { org, id: newId() };
    await blobs.start(blob, uploader, 10);
    clock.nowMs = 8 * DAY_MS;
    const policy = { blockSeconds: 3600, retentionSeconds: 3600, exportSeconds: 3600 };
    await expect(blobs.forgetOld(async () => policy)).rejects.toThrow('cut off');
    expect(await store.readBlob(blob)).not.toBeNull();
    breaks = false;
    await blobs.forgetOld(async () => policy);
    expect(removed).toEqual([blob.id]);
    // What cannot be done for one organisation is done for the others.
    const [first, second] = [org, other.org].toSorted();
    for (const each of [first, second]) await blobs.start({ org: each as OrgId, id: blob.id }, uploader, 10);
    clock.nowMs = 16 * DAY_MS;
    const refused = blobs.forgetOld(async (of) => {
      if (of === first) throw new Error('no policy');
      return policy;
    });
    await expect(refused).rejects.toThrow('no policy');
    expect(removed.length).toBe(2);
    await blobs.forgetOld(async () => policy);
  });

  test('bytes are safe before they are counted, and their files are for their owner alone', async () => {
    const place = join(folder, 'order');
    const disk = folderBlobStore(place);
    let counted = -1;
    const blob = { org, id: newId() };
    const bytes = {
      ...disk,
      async write(...args: Parameters<typeof disk.write>) {
        await disk.write(...args);
        counted = (await store.readBlob(blob))?.receivedBytes ?? -1;
      },
    };
    const clock = { now: () => 0 };
    const blobs = createBlobs({ index: store, logs: store, bytes, clock, limits: DEFAULT_LIMITS });
    await blobs.start(blob, uploader, 10);
    expect(await blobs.write(blob, member.id, 0, random(10))).toBe(10);
    expect(counted).toBe(0);
    const modes = await Promise.all([join(place, org), join(place, org, blob.id)].map((path) => stat(path)));
    expect(modes.map(({ mode }) => mode & 0o777)).toEqual([0o700, 0o600]);
  });
});
