import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeCbor } from '@keytide/crypto-core';
import { memoryJournal } from '../src/journal.ts';
import { openFileJournal } from '../src/node.ts';
import { Outbox, type Outgoing } from '../src/outbox.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-outbox-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const message = (counter: number): Outgoing => ({
  messageId: new Uint8Array(16).fill(counter),
  counter,
  link: new Uint8Array(32).fill(counter),
  envelope: new Uint8Array(2000).fill(counter),
  replaces: null,
});
const seen = (outbox: Outbox, counter: number): void => outbox.seen(counter, message(counter).link);

test('is not emptied under a message that is being added', async () => {
  const path = join(folder, 'outbox.journal');
  const journal = await openFileJournal(path);
  const outbox = await Outbox.open(journal);
  for (let counter = 0; counter < 20; counter += 1) {
    // The log shows the message before, and the file may be emptied, just as the next one is written.
    if (counter > 0) seen(outbox, counter - 1);
    await Promise.all([outbox.add([message(counter)]), outbox.compact()]);
    const again = await openFileJournal(path);
    const stored = await Outbox.open(again);
    expect(stored.last, `message ${counter}`).toEqual(message(counter));
    await again.close();
  }
  await journal.close();
});

test('forgets what the log has shown, in the file too', async () => {
  const path = join(folder, 'outbox.journal');
  const journal = await openFileJournal(path);
  const outbox = await Outbox.open(journal);
  await outbox.add([message(0), message(1)]);
  seen(outbox, 0);
  await outbox.compact();
  expect(outbox.size).toBe(1);
  expect(journal.length).toBe(2);
  seen(outbox, 1);
  await outbox.compact();
  expect(journal.length).toBe(0);
  await journal.close();
});

test('gives up from the first envelope that may not leave, once, and not what is under way', async () => {
  const journal = await openFileJournal(join(folder, 'outbox.journal'));
  const outbox = await Outbox.open(journal);
  await outbox.add([0, 1, 2, 3].map(message));
  expect(outbox.passOver(0, ({ counter }) => counter === 0)).toBe(false);
  expect(outbox.passOver(0, ({ counter }) => counter === 2)).toBe(true);
  expect(outbox.passedOver.map(({ counter }) => counter)).toEqual([2, 3]);
  expect(outbox.passOver(0, ({ counter }) => counter === 2)).toBe(false);
  expect(outbox.size).toBe(4);
  // Given up or not, a counter is never used again.
  expect(outbox.last?.counter).toBe(3);
  await outbox.add([{ ...message(4), replaces: 2 }]);
  expect(outbox.passedOver.map(({ counter }) => counter)).toEqual([3]);
  await journal.close();
});

test('says that its file is damaged where a record is none', async () => {
  for (const record of [
    Uint8Array.of(0x87),
    encodeCbor([1, new Uint8Array(16), 0.5, new Uint8Array(32), new Uint8Array(9), null]),
    encodeCbor([1, new Uint8Array(16), 0, new Uint8Array(32), new Uint8Array(9), null, 0]),
  ]) {
    const journal = memoryJournal();
    await journal.append([record]);
    await expect(Outbox.open(journal)).rejects.toMatchObject({ name: 'ClientError', code: 'store-damaged' });
  }
});
