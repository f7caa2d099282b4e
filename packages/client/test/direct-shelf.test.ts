import { deviceId, memberId, memoryKeyStore } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { encodeDirectPayload } from '../src/direct-payload.ts';
import { hasRoom, isFull } from '../src/direct-room.ts';
import { DirectShelf } from '../src/direct-shelf.ts';

const DAY_MS = 86_400_000;
const device = (digit: string) => deviceId(new Uint8Array(32).fill(Number(digit)));
const payload = (sentMs: number, text: string) => ({
  id: new Uint8Array(16),
  to: memberId(new Uint8Array(16)),
  sentMs,
  body: { text },
});

test('what is kept of a member, of one’s own devices, and what waits for a device, has an end', () => {
  const said = payload(1, 'x');
  const kept = (sizeBytes: number) => ({
    name: '',
    sender: device('1'),
    timeMs: 1,
    payload: said,
    sizeBytes,
  });
  const megabytes = (count: number) => Array.from({ length: count }, () => kept(1_048_576 - 256));
  expect([1, 2].map((count) => hasRoom(megabytes(count), false))).toEqual([true, false]);
  expect([15, 16].map((count) => hasRoom(megabytes(count), true))).toEqual([true, false]);
  expect(hasRoom([...megabytes(1), kept(1_048_575 - 256)], false)).toBe(true);
  const letter = { name: '', id: new Uint8Array(16), isSealed: true, bytes: new Uint8Array(1), madeMs: 1 };
  const letters = Array.from({ length: 500 }, () => ({ ...letter, recipient: device('2') }));
  expect(isFull(letters, device('2'))).toBe(true);
  expect([isFull(letters.slice(1), device('2')), isFull(letters, device('3'))]).toEqual([false, false]);
});

test('what was written while the clock was a year ahead goes when what is written now goes', async () => {
  const keyStore = memoryKeyStore();
  const shelf = await DirectShelf.open(keyStore);
  const letter = {
    recipient: device('2'),
    id: new Uint8Array(16),
    isSealed: true,
    bytes: new Uint8Array([7]),
  };
  const send = async (timeMs: number, text: string): Promise<void> => {
    const said = payload(timeMs, text);
    const message = { sender: device('1'), timeMs, payload: said };
    await shelf.send(message, encodeDirectPayload(said), [{ ...letter, madeMs: timeMs }]);
  };
  await send(10 * DAY_MS, 'before');
  await send(375 * DAY_MS, 'ahead');
  await shelf.setBack(11 * DAY_MS);
  for (const read of [shelf, await DirectShelf.open(keyStore)]) {
    expect(read.kept.map(({ timeMs, payload: { body } }) => [timeMs / DAY_MS, body['text']])).toEqual([
      [10, 'before'],
      [11, 'ahead'],
    ]);
    expect(read.letters.map(({ madeMs }) => madeMs / DAY_MS)).toEqual([10, 11]);
  }
  await shelf.forget(11 * DAY_MS + 1, 11 * DAY_MS + 1);
  expect([shelf.kept, shelf.letters, await keyStore.names('direct/')]).toEqual([[], [], []]);
});

test('a sealed letter waits for an attested time to be over; what can be read here does not', async () => {
  const keyStore = memoryKeyStore();
  const shelf = await DirectShelf.open(keyStore);
  const said = payload(DAY_MS, 'x');
  const letter = {
    recipient: device('2'),
    id: new Uint8Array(16),
    bytes: new Uint8Array([7]),
    madeMs: DAY_MS,
  };
  await shelf.send({ sender: device('1'), timeMs: DAY_MS, payload: said }, encodeDirectPayload(said), [
    { ...letter, isSealed: true },
    { ...letter, isSealed: false },
  ]);
  expect(await shelf.forget(2 * DAY_MS, 0)).toBe(true);
  for (const read of [shelf, await DirectShelf.open(keyStore)])
    expect([read.kept.length, read.letters.map(({ isSealed }) => isSealed)]).toEqual([0, [true]]);
  await shelf.forget(2 * DAY_MS, 2 * DAY_MS);
  expect(await keyStore.names('direct/')).toEqual([]);
});
