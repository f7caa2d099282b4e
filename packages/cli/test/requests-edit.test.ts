import { expect, test } from 'vitest';
import { parseAssignments } from '../src/commands/requests-edit.ts';

test('fields become values of their kind', () => {
  expect(parseAssignments(['status=done', 'lat=40.5', 'lng=', 'note=a=b', 'township='])).toEqual({
    status: 'done',
    lat: 40.5,
    lng: null,
    note: 'a=b',
    township: '',
  });
});

test('fields that are left out stay out', () => {
  expect(Object.keys(parseAssignments(['note=x']))).toEqual(['note']);
});

test.each([
  ['no equals sign', ['status']],
  ['unknown field', ['stautus=open']],
  ['inherited name', ['constructor=x']],
  ['given twice', ['note=a', 'note=b']],
  ['nothing', []],
  ['status that is none', ['status=SECRET']],
  ['number that is none', ['lat=SECRET']],
  ['out of range', ['lat=91']],
  ['title removed', ['title=']],
])('%s is refused without naming the value', (_, assignments) => {
  let caught: unknown;
  try {
    parseAssignments(assignments);
  } catch (error) {
    caught = error;
  }
  expect(caught).toMatchObject({ code: 'usage', exitCode: 2 });
  expect(JSON.stringify(caught) + String(caught)).not.toContain('SECRET');
});
