import { deviceId, memberId, memoryKeyStore } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { encodeDirectPayload } from '../src/direct-payload.ts';
import { DirectShelf } from '../src/direct-shelf.ts';

const DAY_MS = 86_400_000;
const device = (digit: string) => deviceId(new Uint8Array(32).fill(Number(digit)));
const payload = (sentMs: number, text: string) => ({
  id: new Uint8Array(16),
  to: memberId(new Uint8Array(16)),
  sentMs,
  body: { text },
});

test('what was written while the clock was a year ahead goes when what is written now goes', async () => {
  const keyStore = memoryKeyStore();
  const shelf = await DirectShelf.open(keyStore);
  const letter = { recipient: device('2'), id: new Uint8Array(16), wire: new Uint8Array([7]) };
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
  await shelf.forget(11 * DAY_MS + 1);
  expect([shelf.kept, shelf.letters, await keyStore.names('direct/')]).toEqual([[], [], []]);
});
