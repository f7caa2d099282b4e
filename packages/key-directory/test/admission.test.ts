import { assertAdmissible, MAX_AHEAD_MS, parseEntry, signEntry } from '@keytide/key-directory';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { codeFrom, forge, invite, joinBody, stranger } from './forge.ts';

const world = seededWorld({ seed: 'admission', members: 2 });
const { primitives } = world;
const admin = world.members[0].devices[0];
const body = { kind: 'role' as const, member: world.members[1]?.id as never, role: 'exporter' as const };
const now = world.clock.now();

test('an entry dated too far ahead is not let in', () => {
  const codeAt = (timeMs: number): string | null =>
    codeFrom(() => {
      const entry = parseEntry(primitives, forge(world, admin, body, { timeMs }));
      assertAdmissible(world.state, entry, now);
    });
  expect(codeAt(now - 1000)).toBe(null);
  expect(codeAt(now + MAX_AHEAD_MS)).toBe(null);
  expect(codeAt(now + MAX_AHEAD_MS + 1)).toBe('time-ahead');
});

test('a log that is ahead of the clock already can be continued, but not driven further', () => {
  const future = seededWorld({ seed: 'ahead', members: 2, startMs: now + 100 * MAX_AHEAD_MS });
  const codeAt = (timeMs: number): string | null =>
    codeFrom(() => {
      const wire = forge(future, future.members[0].devices[0], body, { timeMs });
      assertAdmissible(future.state, parseEntry(primitives, wire), now);
    });
  expect(codeAt(future.state.timeMs)).toBe(null);
  expect(codeAt(future.state.timeMs + 1)).toBe('time-ahead');
});

test('the first entry of an organisation is bound to the clock as well', () => {
  const genesis = parseEntry(primitives, world.wires[0] as Uint8Array);
  const wire = signEntry(primitives, admin.signer, { ...genesis, timeMs: now + 2 * MAX_AHEAD_MS });
  expect(codeFrom(() => assertAdmissible(null, parseEntry(primitives, wire), now))).toBe('time-ahead');
});

test('a handle that is not in normalisation form C is not let in', () => {
  const created = invite(world);
  const joiner = stranger(world);
  const codeOf = (handle: string): string | null =>
    codeFrom(() => {
      const wire = forge(world, joiner, joinBody(world, created, joiner, { signed: { handle } }));
      assertAdmissible(world.state, parseEntry(primitives, wire), now);
    });
  expect(codeOf('Zo\u00eb')).toBe(null);
  expect(codeOf('Zoe\u0308')).toBe('bad-handle');
});
