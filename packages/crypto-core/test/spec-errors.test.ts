import { expect, test } from 'vitest';
import { specPage } from './spec-page.ts';

/** The rows of every table on the page whose last column says what a person can do: code and advice. */
const rows = [...specPage('errors').matchAll(/^\| `([a-z-]+)` \|(?:.*\|)? ([^|]*) \|$/gm)].map(
  ([, code, advice]) => ({ code, advice: advice as string }),
);

test('every reason why something cannot be read has a row', () => {
  const reasons = [
    'expired-by-policy',
    'ask-an-admin',
    'device-not-certified',
    'key-not-yet-arrived',
    'removed',
    'tampered',
    'wiped',
    'sealing-key-expired',
  ];
  const codes = new Set(rows.map(({ code }) => code));
  expect(reasons.filter((reason) => !codes.has(reason))).toEqual([]);
});

test('every row says what a person can do', () => {
  expect(rows.length).toBeGreaterThan(50);
  expect(rows.filter(({ advice }) => advice.trim().length < 5)).toEqual([]);
});
