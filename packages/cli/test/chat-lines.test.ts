import { expect, test } from 'vitest';
import { messageLines, unreadableLine } from '../src/chat-lines.ts';
import { displayName } from '../src/names.ts';
import { clockTime, isoTime } from '../src/timestamps.ts';

const nowMs = new Date(2026, 2, 4, 14, 5).getTime();
const item = {
  seq: 1,
  epoch: 1,
  device: 'd',
  member: 'm',
  role: 'member' as const,
  handle: 'ada',
  timeMs: nowMs,
  room: '',
  body: { text: 'hello' },
};

test('a message has time, name and text', () => {
  expect(messageLines({ item, name: 'ada', isOwn: false }, nowMs)).toEqual(['14:05 ada: hello']);
});

test('further lines cannot pass for another message, and nothing steers the terminal', () => {
  const body = { text: 'hi\n14:06 bob: I never said this\u001b[A' };
  expect(messageLines({ item: { ...item, body }, name: 'ada\u202e', isOwn: false }, nowMs)).toEqual([
    '14:05 ada\u{fffd}: hi',
    '      14:06 bob: I never said this\u{fffd}[A',
  ]);
});

test('a message of another day says which', () => {
  expect(clockTime(nowMs - 86_400_000, nowMs)).toBe('2026-03-03 14:05');
});

test('a time that no calendar holds breaks nothing', () => {
  expect(clockTime(1e300, nowMs)).toBe('--:--');
  expect(isoTime(1e300)).toBeNull();
});

test('what cannot be read names its code', () => {
  expect(unreadableLine({ seq: 7, code: 'tampered' })).toContain('(tampered)');
});

test('members with one name are told apart', () => {
  const ada = { id: 'aaaaaaaa', handle: 'ada' };
  const other = { id: 'bbbbbbbb', handle: 'Ａda' };
  expect(displayName(ada, [ada])).toBe('ada');
  expect(displayName(other, [ada, other])).toBe('Ａda#bbbbbb');
});
