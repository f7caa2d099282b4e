import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { destinationConformance, seededRandom, startTestS3, type TestS3 } from '@keytide/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it, test } from 'vitest';
import { exportArchive, verifyArchive, type Destination } from '../../src/index.ts';
import { s3Destination, type S3DestinationOptions } from '../../src/node.ts';
import { partBytes } from '../../src/node/s3/parts.ts';
import { contentOf, identities, optionsFor, someDays } from '../exporting.ts';
import { memoryDestination } from '../memory-destination.ts';
import { optionsOf } from './bucket.ts';

const README = 'data/README-DECRYPT.txt';
const BLOB = `data/attachments/${'ab'.repeat(32)}.age`;
const PLACE = 'archives/a/';
const MIB = 1024 * 1024;
const mebibyte = seededRandom('a bucket')(MIB);

let s3: TestS3;
beforeAll(async () => {
  s3 = await startTestS3({ now: () => Date.now(), pageSize: 2 });
});
afterAll(() => s3.close());
afterEach(() => {
  s3.failAfter(0, null);
  s3.leaveRoom(null);
  s3.lockObjects('refused');
  s3.objects.clear();
  expect(s3.uploads.size, 'uploads that nobody ends').toBe(0);
});
const bucket = (changes: Partial<S3DestinationOptions> = {}): Destination =>
  s3Destination(optionsOf(s3, changes));

let places = 0;
destinationConformance(
  'a bucket',
  async () => {
    places += 1;
    const prefix = `place/${places}`;
    return { open: async () => bucket({ prefix }), leaveRoom: (sizeBytes) => s3.leaveRoom(sizeBytes) };
  },
  { describe, it },
);

/** So many mebibytes, as they come from somewhere. */
async function* mebibytes(count: number, onSent: (sent: number) => void = () => {}) {
  for (let sent = 1; sent <= count; sent += 1) {
    yield mebibyte;
    onSent(sent);
  }
}

async function readAll(destination: Destination, name: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of destination.read(name)) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => expect.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  const shown = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) + String(error);
  expect(shown).not.toContain(s3.caller().secretAccessKey);
  expect(shown).not.toMatch(/Signature=|as you see/);
  return (error as { code: string }).code;
}

test('parts are of sizes that S3 takes, and make a file of 5 TiB', () => {
  const sizes = Array.from({ length: 10_000 }, (_, i) => partBytes(i + 1));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(5 * MIB * MIB);
  expect(Math.min(...sizes)).toBeGreaterThanOrEqual(5 * MIB);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(5 * 1024 * MIB);
});

test('a large file goes there in parts while it comes, and what it is made of is not held', async () => {
  let most = 0;
  const before = s3.calls.length;
  await bucket().write(
    BLOB,
    mebibytes(17, (sent) => {
      const there = s3.calls.slice(before).reduce((sum, { body }) => sum + body.length, 0);
      most = Math.max(most, sent * MIB - there);
    }),
  );
  expect(most).toBeLessThanOrEqual(8 * MIB + MIB);
  expect(s3.objects.get(PLACE + BLOB)?.bytes).toHaveLength(17 * MIB);
});

test('each byte has a checksum that the service checks', async () => {
  const before = s3.calls.length;
  await bucket().write(BLOB, mebibytes(9));
  await bucket().write(README, [Uint8Array.of(1)]);
  for (const { method, headers, body, path } of s3.calls.slice(before)) {
    if (method === 'PUT') expect(headers['x-amz-checksum-sha256']).toHaveLength(44);
    if (path.endsWith('?uploads=')) expect(headers['x-amz-checksum-algorithm']).toBe('SHA256');
    if (method === 'POST' && body.length > 0) expect(String(body)).toContain('<ChecksumSHA256>');
  }
});

test('what a killed process has not completed is ended, and nobody else’s', async () => {
  // As it is left: begun, one part there.
  const killed = bucket();
  s3.failAfter(4, 'lost');
  expect(await failureOf(killed.write(BLOB, mebibytes(17)))).toBe('destination-failed');
  s3.failAfter(0, null);
  expect(s3.uploads.size).toBe(1);
  const [[id, upload] = expect.fail('no upload')] = [...s3.uploads];
  const uploads = s3.uploads as Map<string, typeof upload>;
  for (const key of [`${PLACE}data/other`, 'archives/ab', `elsewhere/${BLOB}`, `${PLACE}${README}`])
    uploads.set(`of ${key}`, { ...upload, key });
  const names: string[] = [];
  for await (const { name } of bucket().list()) names.push(name);
  expect(names).toEqual([]);
  await bucket().write('bagit.txt', [Uint8Array.of(1)]);
  expect([...uploads.keys()]).toEqual([`of ${PLACE}data/other`, 'of archives/ab', `of elsewhere/${BLOB}`]);
  expect(uploads.has(id)).toBe(false);
  uploads.clear();
});

test('what may pass is tried again, with pauses that grow and end; what was lost is not written twice', async () => {
  const pauses: number[] = [];
  const clock = { now: () => Date.now(), pause: async (ms: number) => void pauses.push(ms) };
  const limits = { idleMs: 60, attempts: 6, pauseMs: 1000 };
  const patient = bucket({ clock, limits });
  await patient.write(README, [Uint8Array.of(1)]);
  for (const [i, fault] of (['throttle', 'broken', 'cut', 'lost', 'hang', 'late'] as const).entries()) {
    s3.fail(fault, fault);
    await patient.write(README, [Uint8Array.of(i)]);
    expect(await readAll(patient, README), fault).toEqual(Buffer.of(i));
  }
  pauses.length = 0;
  s3.failAfter(0, 'broken');
  expect(await failureOf(patient.write(README, [Uint8Array.of(3)]))).toBe('destination-failed');
  expect(pauses).toHaveLength(5);
  for (const [i, pause] of pauses.entries()) {
    expect(pause).toBeGreaterThanOrEqual(500 * 2 ** i);
    expect(pause).toBeLessThanOrEqual(1000 * 2 ** i);
  }
  s3.failAfter(0, null);
  expect(await readAll(patient, README)).toEqual(Buffer.of(5));
  // The answers of each request of an upload are lost once: its beginning, its parts, its completion.
  for (let at = 0; at < 4; at += 1) {
    const back = { now: () => Date.now(), pause: async () => s3.failAfter(0, null) };
    const destination = bucket({ prefix: `lost/${at}`, clock: back });
    await destination.write(README, [Uint8Array.of(1)]);
    const calls = s3.calls.length;
    s3.failAfter(at, 'lost');
    await destination.write(BLOB, mebibytes(9));
    expect(s3.calls.length).toBeGreaterThan(calls + 5);
    expect(s3.objects.get(`lost/${at}/${BLOB}`)?.bytes).toHaveLength(9 * MIB);
    expect(s3.uploads.size).toBe(0);
  }
});

test('an upload is complete when the service says so', async () => {
  const destination = bucket();
  await destination.write(README, [Uint8Array.of(1)]);
  s3.failAfter(3, 'garbage');
  expect(await failureOf(destination.write(BLOB, mebibytes(9)))).toBe('destination-failed');
  s3.failAfter(0, null);
  await destination.write(BLOB, mebibytes(9));
  expect(s3.objects.get(PLACE + BLOB)?.bytes).toHaveLength(9 * MIB);
});

test('reading goes on behind what has come, and only with the same object', async () => {
  const destination = bucket();
  await destination.write(BLOB, mebibytes(3));
  s3.fail('half', 'half', 'half');
  expect((await readAll(destination, BLOB)).equals(Buffer.concat([mebibyte, mebibyte, mebibyte]))).toBe(true);
  s3.failAfter(1, 'lost');
  s3.fail('half');
  expect(await failureOf(readAll(destination, BLOB))).toBe('destination-failed');
  s3.failAfter(0, null);
  s3.fail('half');
  const reading = destination.read(BLOB)[Symbol.asyncIterator]();
  await reading.next();
  await destination.write(BLOB, [mebibyte, mebibyte, new Uint8Array(MIB)]);
  const rest = async (): Promise<void> => {
    while (!(await reading.next()).done);
  };
  expect(await failureOf(rest())).toBe('damaged');
});

test('of two exports that begin at once, one goes on', async () => {
  const plan = (byte: number) => [Uint8Array.of(byte)];
  const [one, two] = [bucket(), bucket()];
  s3.fail('lost');
  await one.write('plan.json', plan(1));
  expect(await failureOf(two.write('plan.json', plan(2)))).toBe('other-export');
  expect(await readAll(two, 'plan.json')).toEqual(Buffer.of(1));
  await one.remove('plan.json');
  await two.write('plan.json', plan(2));
});

test('what is finished is locked, by a bucket that can', async () => {
  const objectLock = { mode: 'COMPLIANCE', untilMs: Date.now() + 3_600_000 } as const;
  const locking = (): Destination => bucket({ objectLock });
  expect(await failureOf(locking().write(README, [Uint8Array.of(1)]))).toBe('no-object-lock');
  s3.lockObjects('passed-over');
  expect(await failureOf(locking().write(README, [Uint8Array.of(1)]))).toBe('no-object-lock');
  s3.lockObjects('taken');
  const destination = locking();
  await destination.write('plan.json', [Uint8Array.of(1)]);
  await destination.write(README, [Uint8Array.of(1)]);
  await destination.write(BLOB, mebibytes(9));
  const lockOf = (name: string) => s3.objects.get(PLACE + name)?.headers;
  for (const name of [README, BLOB])
    expect(lockOf(name)).toMatchObject({
      'x-amz-object-lock-mode': 'COMPLIANCE',
      'x-amz-object-lock-retain-until-date': new Date(objectLock.untilMs).toISOString(),
    });
  expect(lockOf('plan.json')).not.toHaveProperty('x-amz-object-lock-mode');
});

test('what is wrong has a code, and shows no secret', async () => {
  const hour = { now: () => Date.now() - 3_600_000, pause: async () => {} };
  for (const [changes, code] of [
    [{ bucket: 'no-such-bucket' }, 'bucket-missing'],
    [{ region: 'us-east-1' }, 'access-denied'],
    [{ clock: hour }, 'clock-skew'],
    [{ endpoint: 'http://127.0.0.1:1' }, 'destination-failed'],
  ] as const) {
    expect(await failureOf(bucket(changes).write(README, [Uint8Array.of(1)])), code).toBe(code);
    expect(await failureOf(bucket(changes).digest(README)), code).toBe(code);
  }
  const before = bucket();
  s3.changeKey();
  expect(await failureOf(before.digest(README))).toBe('access-denied');
  s3.fail('redirect');
  expect(await failureOf(bucket().digest(README))).toBe('bad-address');
  for (const wrong of [
    { endpoint: 'http://s3.example.com' },
    { endpoint: 'https://user:word@s3.example.com' },
    { bucket: 'a/b' },
    { region: 'eu central' },
    { prefix: '../other' },
    { prefix: 'a//b' },
    { prefix: 'a?b' },
  ])
    expect(() => bucket(wrong)).toThrowError(expect.objectContaining({ code: 'bad-address' }));
});

test('a service that never comes to an end is refused: a file of no length, a list of more and more pages', async () => {
  s3.failAfter(0, 'endless');
  expect(await failureOf(bucket().digest(README))).toBe('destination-refused');
  s3.failAfter(0, null);
  let pages = 0;
  const server = createServer((_, response) => {
    pages += 1;
    const next = `<NextContinuationToken>${pages}</NextContinuationToken>`;
    response.end(`<ListBucketResult><IsTruncated>true</IsTruncated>${next}</ListBucketResult>`);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const listed = async (): Promise<void> => {
    for await (const _ of bucket({ endpoint }).list()) expect.fail('a name');
  };
  expect(await failureOf(listed())).toBe('destination-refused');
  expect(pages).toBeGreaterThanOrEqual(2000);
  await new Promise((resolve) => server.close(resolve));
});

test('no more of a file is given than it was long at first', async () => {
  const destination = bucket();
  await destination.write(BLOB, mebibytes(1));
  s3.fail('half');
  const reading = destination.read(BLOB)[Symbol.asyncIterator]();
  await reading.next();
  // Under the same tag, as no honest service has it.
  const object = s3.objects.get(PLACE + BLOB) ?? expect.fail('no object');
  s3.objects.set(PLACE + BLOB, { ...object, bytes: Buffer.concat([mebibyte, mebibyte]) });
  let sizeBytes = 0;
  const rest = async (): Promise<void> => {
    for (let next = await reading.next(); !next.done; next = await reading.next())
      sizeBytes += next.value.length;
  };
  expect(await failureOf(rest())).toBe('damaged');
  expect(sizeBytes).toBeLessThanOrEqual(MIB);
});

test('every file is listed, also what no archive has', async () => {
  const destination = bucket();
  for (const name of [README, BLOB, 'bagit.txt']) await destination.write(name, [Uint8Array.of(1)]);
  const object = s3.objects.get(PLACE + README) ?? expect.fail('no object');
  for (const key of [`${PLACE}data/`, `${PLACE}a b&c+ü%.txt`, 'archives/ab', 'z'])
    s3.objects.set(key, object);
  const names: string[] = [];
  for await (const { name } of destination.list()) names.push(name);
  expect(names.toSorted()).toEqual(['a b&c+ü%.txt', BLOB, README, 'bagit.txt'].toSorted());
});

test('an export whose connection is lost at any request goes on to the same archive', async () => {
  const source = await someDays();
  const whole = memoryDestination();
  await exportArchive(optionsFor(source, whole));
  const expected = await contentOf(whole);
  const calls = s3.calls.length;
  await exportArchive(optionsFor(source, bucket({ prefix: 'whole' })));
  const requests = s3.calls.length - calls;
  expect(requests).toBeGreaterThan(20);
  for (let at = 0; at < requests; at += 5) {
    const prefix = `cut/${at}`;
    s3.failAfter(at, at % 2 === 0 ? 'lost' : 'cut');
    expect(await failureOf(exportArchive(optionsFor(source, bucket({ prefix }))))).toBe('destination-failed');
    s3.failAfter(0, null);
    const files = bucket({ prefix });
    // Or what was lost is the answer to the last request of all.
    const isWhole = s3.objects.has(`${prefix}/bagit.txt`) && !s3.objects.has(`${prefix}/plan.json`);
    if (!isWhole) await exportArchive(optionsFor(source, files));
    expect(await contentOf(files), `lost at request ${at}`).toEqual(expected);
  }
  const files = bucket({ prefix: 'whole' });
  expect(await verifyArchive({ primitives, files, identities })).toMatchObject({ verdict: 'sound' });
});
