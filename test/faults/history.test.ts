import { expect, test } from 'vitest';
import { contradictions, emptyHistory, noteSeen, type Item } from './history.ts';

const items: readonly Item[] = ['ada/0/0', 'bo/0/0', 'ada/0/1', 'ada/2/0'].map((label, index) => ({
  seq: 2 * index + 2,
  handle: label.slice(0, label.indexOf('/')),
  label,
}));
const [first, second, third, fourth] = items as [Item, Item, Item, Item];

function history() {
  const said = emptyHistory();
  for (const { seq, label } of items) {
    said.durable.add(label);
    noteSeen(said, seq, label);
  }
  return said;
}

test('what was promised and kept passes, also with more than was promised', () => {
  expect(contradictions(history(), items)).toEqual([]);
  expect(contradictions(history(), items.toReversed())).toEqual([]);
  const more = { seq: 20, handle: 'ada', label: 'ada/2/1' };
  expect(contradictions(history(), [...items, more])).toEqual([]);
});

test.each([
  ['a lost message', [first, second, third], 'lost: ada/2/0'],
  ['a message in the middle that is lost', [first, second, fourth], 'lost: ada/0/1'],
  ['a repeated message', [...items, { ...fourth, seq: 10 }], 'twice: ada/2/0'],
  ['two at one seq', [...items, { ...fourth, label: 'ada/2/1' }], 'two items at 8'],
  [
    'a changed order',
    [{ ...third, seq: 2 }, second, { ...first, seq: 6 }, fourth],
    'moved: ada/0/0 was at 2',
  ],
  [
    'a hole in a life',
    [...items, { seq: 10, handle: 'bo', label: 'bo/0/2' }],
    'out of order: bo/0/2 after 0/0',
  ],
  [
    'an older life after a newer',
    [...items, { seq: 10, handle: 'ada', label: 'ada/1/0' }],
    'out of order: ada/1/0 after 2/0',
  ],
  ['another author', [...items, { seq: 10, handle: 'ada', label: 'bo/1/0' }], 'bo/1/0 was written by ada'],
])('%s is found', (_, shown, problem) => {
  expect(contradictions(history(), shown)).toContain(problem);
});

test('two devices that show different things at one seq are found', () => {
  const said = history();
  noteSeen(said, 2, 'bo/0/0');
  expect(contradictions(said, items)).toContain('seq 2 was shown as ada/0/0 and as bo/0/0');
});
