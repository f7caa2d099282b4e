import { expect, test } from 'vitest';
import { Changes } from '../src/changes.ts';

test('what is kept stays the same object until it has changed', () => {
  const changes = new Changes();
  const look = (name: string): object => changes.kept(name, () => ({}));
  const [a, b] = [look('a'), look('b')];
  expect(look('a')).toBe(a);
  changes.changed('a');
  expect(look('a')).not.toBe(a);
  expect(look('b')).toBe(b);
  changes.changed();
  expect(look('b')).not.toBe(b);
  expect(changes.kept<null>('nothing', () => null)).toBeNull();
});

test('listeners are told once for many changes, and not without one', () => {
  const changes = new Changes();
  let told = 0;
  const listener = (): void => void (told += 1);
  const ends = [changes.subscribe(listener), changes.subscribe(listener)];
  changes.tell();
  expect(told).toBe(0);
  changes.changed('a');
  changes.changed('b');
  changes.tell();
  changes.tell();
  expect(told).toBe(2);
  ends[0]?.();
  ends[0]?.();
  changes.changed();
  changes.tell();
  expect(told).toBe(3);
  ends[1]?.();
  changes.changed();
  changes.tell();
  expect(told).toBe(3);
});
