import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Destination } from '@keytide/archive';
import { seededRandom } from './seeded-random.ts';
import type { TestRunner } from './test-runner.ts';

/** A place that is tested. */
export interface DestinationUnderTest {
  /** Opens the place once more: what was durable is there. */
  open(): Promise<Destination>;
  /** Leaves room for about so many bytes more; `null`: for enough. */
  leaveRoom(sizeBytes: number | null): Promise<void> | void;
}

const README = 'data/README-DECRYPT.txt';
const BLOB = `data/attachments/${'ab'.repeat(32)}.age`;
const SEGMENT = `data/groups/${'0c'.repeat(32)}/segments/000000000001-000000000009.age`;

/** What every `Destination` owes. `makePlace` makes an empty one. */
export function destinationConformance(
  name: string,
  makePlace: () => Promise<DestinationUnderTest>,
  { describe, it }: TestRunner,
): void {
  const random = seededRandom(`destination ${name}`);
  const third = random(3_000_000);
  /** More than goes into one request to a service. */
  const large = [third, random(1), third, third, random(70_000)];

  describe(`Destination: ${name}`, () => {
    it('is empty at first', async () => {
      const place = await (await makePlace()).open();
      assert.deepEqual(await namesIn(place), []);
    });
    it('gives back what was written, of any size and in any pieces, also when it is opened again', async () => {
      const place = await makePlace();
      const destination = await place.open();
      const files = new Map([
        [README, [Uint8Array.of(1, 2), new Uint8Array(), Uint8Array.of(3)]],
        [BLOB, large],
        [SEGMENT, []],
      ]);
      for (const [file, pieces] of files) {
        const { sizeBytes, sha256 } = await destination.write(file, streamOf(pieces));
        assert.equal(sizeBytes, joined(pieces).length);
        assert.deepEqual(Buffer.from(sha256), sha256Of(joined(pieces)));
      }
      for (const opened of [destination, await place.open()]) {
        assert.deepEqual(await namesIn(opened), [...files.keys()].toSorted());
        for (const [file, pieces] of files) {
          assert.deepEqual(await readAll(opened, file), joined(pieces));
          const digest = await opened.digest(file);
          assert.deepEqual(Buffer.from(digest.sha256), sha256Of(joined(pieces)));
          assert.equal(digest.sizeBytes, joined(pieces).length);
        }
        for await (const { name: file, sizeBytes } of opened.list())
          assert.equal(sizeBytes, joined(files.get(file) as Uint8Array[]).length);
      }
    });
    it('puts one file in the place of another as a whole', async () => {
      const place = await makePlace();
      const destination = await place.open();
      await destination.write(README, [random(200_000)]);
      await destination.write(README, [Uint8Array.of(9)]);
      assert.deepEqual(await readAll(await place.open(), README), Uint8Array.of(9));
    });
    it('keeps what was there when the bytes do not come to their end', async () => {
      const place = await makePlace();
      const destination = await place.open();
      await destination.write(README, [Uint8Array.of(1)]);
      for (const file of [README, BLOB])
        for (const pieces of [[random(100_000)], large])
          await assert.rejects(destination.write(file, brokenOff(pieces)), { message: 'broken off' });
      for (const opened of [destination, await place.open()]) {
        assert.deepEqual(await namesIn(opened), [README]);
        assert.deepEqual(await readAll(opened, README), Uint8Array.of(1));
      }
    });
    it('goes on after a failure', async () => {
      const place = await makePlace();
      const destination = await place.open();
      await assert.rejects(destination.write(BLOB, brokenOff([random(10)])));
      await destination.write(BLOB, [Uint8Array.of(4)]);
      assert.deepEqual(await readAll(await place.open(), BLOB), Uint8Array.of(4));
    });
    it('says that it is full, keeps what is there, and goes on when there is room', async () => {
      const place = await makePlace();
      const destination = await place.open();
      await destination.write(README, [Uint8Array.of(1)]);
      await destination.write(SEGMENT, [Uint8Array.of(2)]);
      await place.leaveRoom(50_000);
      try {
        for (const file of [README, BLOB])
          await assert.rejects(destination.write(file, large), { code: 'destination-full' });
        assert.deepEqual(await namesIn(await place.open()), [README, SEGMENT]);
        assert.deepEqual(await readAll(destination, README), Uint8Array.of(1));
      } finally {
        await place.leaveRoom(null);
      }
      await destination.write(BLOB, large);
      assert.deepEqual(await readAll(await place.open(), BLOB), joined(large));
      assert.deepEqual(await readAll(await place.open(), SEGMENT), Uint8Array.of(2));
    });
    it('removes a file, and says nothing where there is none', async () => {
      const place = await makePlace();
      const destination = await place.open();
      await destination.write(README, [Uint8Array.of(1)]);
      await destination.write(SEGMENT, [Uint8Array.of(2)]);
      await destination.remove(SEGMENT);
      await destination.remove(BLOB);
      assert.deepEqual(await namesIn(await place.open()), [README]);
    });
    it('says that a file is not there', async () => {
      const destination = await (await makePlace()).open();
      await assert.rejects(readAll(destination, README), { code: 'missing-file' });
      await assert.rejects(destination.digest(BLOB), { code: 'missing-file' });
    });
    it('takes no name that no archive has', async () => {
      const place = await makePlace();
      const destination = await place.open();
      for (const file of [
        '../out',
        '/etc/passwd',
        'data/../../out',
        'data\\x',
        'DATA/README-DECRYPT.txt',
        '',
      ])
        for (const call of [
          () => destination.write(file, [Uint8Array.of(1)]),
          () => readAll(destination, file),
          () => destination.digest(file),
          () => destination.remove(file),
        ])
          await assert.rejects(call, { code: 'unexpected-file' });
      assert.deepEqual(await namesIn(await place.open()), []);
    });
  });
}

async function namesIn(destination: Destination): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of destination.list()) names.push(name);
  return names.toSorted();
}

async function readAll(destination: Destination, name: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of destination.read(name)) pieces.push(piece.slice());
  return joined(pieces);
}

async function* streamOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

async function* brokenOff(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
  throw new Error('broken off');
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

function sha256Of(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
