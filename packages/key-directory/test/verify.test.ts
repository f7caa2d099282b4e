import * as everything from '@keytide/key-directory';
import * as verify from '@keytide/key-directory/verify';
import { expect, test } from 'vitest';

test("the relay's and the auditors' half can judge but not write", () => {
  const names = Object.keys(verify);
  expect(names).toEqual(expect.arrayContaining(['applyEntry', 'replay', 'recipientsOf', 'verifyCheckpoint']));
  const writers = names.filter((name) => /^(create|accept|sign|write|encode|format|publish)/.test(name));
  // The one thing that the relay itself says in writing.
  expect(writers).toEqual(['signDeletionStatement']);
});

test('both halves are one code', () => {
  const whole = new Map<string, unknown>(Object.entries(everything));
  const different = Object.entries(verify).filter(([name, value]) => whole.get(name) !== value);
  expect(different).toEqual([]);
});
