import { fakeClock } from '@keytide/testkit';
import { expect, test } from 'vitest';

test('the clock stands until it is moved', () => {
  const clock = fakeClock(1000);
  expect(clock.now()).toBe(1000);
  clock.advance(50);
  expect(clock.now()).toBe(1050);
  clock.advance(-100);
  expect(clock.now()).toBe(950);
});
