import { entryHash, orgId } from '@keytide/crypto-core';
import { applyEntry, type EntryBody } from '@keytide/key-directory';
import { seededWorld } from '@keytide/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { codeFrom, errorFrom, forge, refusal, stranger } from '../forge.ts';

let world = seededWorld({ seed: 'position', members: 2 });
let admin = world.members[0].devices[0];
let body: EntryBody;

beforeEach(() => {
  world = seededWorld({ seed: 'position', members: 2 });
  admin = world.members[0].devices[0];
  body = { kind: 'role', member: world.members[1]?.id as never, role: 'exporter' };
});

describe('the place of an entry in the log', () => {
  test('an entry that continues the head is accepted', () => {
    const state = world.append(forge(world, admin, body));
    expect(state.size).toBe(4);
    expect(state.members.get(world.members[1]?.id as never)?.role).toBe('exporter');
  });

  test.each([-1, 1])('another index (%i off) is refused', (off) => {
    const wire = forge(world, admin, body, { index: world.state.size + off });
    expect(refusal(world, wire)).toBe('wrong-predecessor');
  });

  test('another previous hash is refused', () => {
    const wire = forge(world, admin, body, { previousHash: entryHash('ab'.repeat(32)) });
    expect(refusal(world, wire)).toBe('wrong-predecessor');
  });

  test('an entry of another organisation is refused', () => {
    const wire = forge(world, admin, body, { org: orgId('ab'.repeat(32)) });
    expect(refusal(world, wire)).toBe('wrong-organisation');
  });

  test('the same entry twice is refused the second time', () => {
    const wire = forge(world, admin, body);
    world.append(wire);
    expect(refusal(world, wire)).toBe('wrong-predecessor');
  });

  test('a second genesis is refused', () => {
    const other = seededWorld({ seed: 'other', members: 1 });
    expect(refusal(world, other.wires[0] as Uint8Array)).toBe('wrong-predecessor');
  });

  test('a log that starts with anything but a genesis is refused', () => {
    const wire = world.wires[1] as Uint8Array;
    expect(codeFrom(() => applyEntry(world.primitives, null, wire))).toBe('wrong-predecessor');
  });

  test('time may stand still but not go back', () => {
    expect(refusal(world, forge(world, admin, body, { timeMs: world.state.timeMs }))).toBe(null);
    expect(refusal(world, forge(world, admin, body, { timeMs: world.state.timeMs - 1 }))).toBe(
      'time-went-back',
    );
  });
});

describe('the author of an entry', () => {
  test('a device that is not in the log is refused', () => {
    expect(refusal(world, forge(world, stranger(world), body))).toBe('unknown-author');
  });

  test("a stranger's signature under an admin's name is refused", () => {
    const wire = forge(world, stranger(world), body, { claimedAuthor: admin.id });
    expect(refusal(world, wire)).toBe('bad-signature');
  });

  test('a refusal carries the entry as evidence and says where it stands', () => {
    const wire = forge(world, stranger(world), body);
    const error = errorFrom(() => applyEntry(world.primitives, world.state, wire));
    expect(error.evidence).toEqual([wire]);
    expect(error.message).toContain('entry 3');
  });
});
