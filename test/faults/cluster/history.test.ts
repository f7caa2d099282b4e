import { deviceId } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { createHistory, type History } from './history.ts';

const [ada, bo] = ['aa', 'bb'].map((pair) => deviceId(pair.repeat(32)));
const content = (byte: number): Uint8Array => Uint8Array.of(byte);

/** What is wrong when three items are in the log and something else happened. */
function wrongAfter(act: (history: History) => void, entries = ['0001', '0002', '0003'], seqs = [1, 2, 3]) {
  if (ada === undefined || bo === undefined) throw new Error('two devices');
  const history = createHistory();
  for (const byte of [1, 2, 3]) {
    history.invoked(content(byte));
    history.acknowledged(content(byte), byte);
    history.saw(ada, byte, content(byte));
  }
  act(history);
  return history.contradictions({ seqs, entries }, [ada]);
}

test('the checker finds what no relay may do, and nothing else', () => {
  if (bo === undefined) throw new Error('two devices');
  expect(wrongAfter(() => {})).toEqual([]);
  const wrong: readonly string[][] = [
    wrongAfter(() => {}, ['0001', '0002'], [1, 2]), // acknowledged and lost
    wrongAfter(() => {}, ['0002', '0001', '0003']), // at another place than was said
    wrongAfter(() => {}, ['0001', '0002', '0003', '0004'], [1, 2, 3, 5]), // a gap in the log
    wrongAfter(() => {}, ['0001', '0002', '0003', '0003'], [1, 2, 3, 4]), // stored twice, and not shown to all
    wrongAfter((history) => history.saw(bo, 2, content(2))), // shown with a gap
    wrongAfter((history) => [1, 1].forEach((byte) => history.saw(bo, byte, content(byte)))), // shown twice
    wrongAfter((history) => history.saw(bo, 1, content(2))), // shown another one
  ];
  for (const found of wrong) expect(found).not.toEqual([]);
});

test('what was sent before a removal was acknowledged may be shown after it, and what was sent later may not', () => {
  if (bo === undefined) throw new Error('two devices');
  const late = (order: 'before' | 'after') => (history: History) => {
    if (order === 'before') history.barred(bo);
    history.invoked(content(4));
    if (order === 'after') history.barred(bo);
    [1, 2, 3, 4].forEach((byte) => history.saw(bo, byte, content(byte)));
  };
  const log = ['0001', '0002', '0003', '0004'];
  const aboutBo = (wrong: string[]) => wrong.filter((line) => line.startsWith('bbbb'));
  expect(aboutBo(wrongAfter(late('after'), log, [1, 2, 3, 4]))).toEqual([]);
  expect(aboutBo(wrongAfter(late('before'), log, [1, 2, 3, 4]))).toHaveLength(1);
});
