import { createAccessRequest, groupId, orgId } from '@keytide/crypto-core';
import { createRevokeDevice } from '@keytide/key-directory';
import { expect, test } from 'vitest';
import { accessWorld } from './access-world.ts';

const DAY_MS = 86_400_000;

test('a request of a member’s device waits for an answer until the log has its grant', () => {
  const { alice, carol, ask, record, read } = accessWorld('read request');
  const own = ask(carol);
  expect(read(own.wire)).toBe('open');
  record(alice, own);
  expect(read(own.wire)).toBe('granted');
});

test('a request that its device has not signed is not read', () => {
  const { primitives, alice, carol, ask, read } = accessWorld('invented request');
  const { wire, request } = ask(carol);
  expect(read(wire.map((byte, i) => (i === 200 ? byte ^ 1 : byte)))).toBe('bad-signature');
  // In Carol's name, by somebody else.
  expect(read(createAccessRequest(primitives, alice.signer, request))).toBe('bad-signature');
  expect(read(wire.subarray(1))).toBe('malformed');
});

test('what checking a signature has said is not asked again, and counts for exactly these bytes', () => {
  const { world, alice, carol, ask, append, read, verifications } = accessWorld('verified once');
  const { wire } = ask(carol);
  const forged = wire.map((byte, i) => (i === wire.length - 1 ? byte ^ 1 : byte));
  for (let i = 0; i < 3; i += 1) {
    expect(read(wire)).toBe('open');
    expect(read(forged)).toBe('bad-signature');
  }
  expect(verifications()).toBe(2);
  // Everything else is decided anew each time.
  append(createRevokeDevice({ ...world.as(alice), device: carol.id }));
  expect(read(wire)).toBe('not-a-member');
});

test('a device that is revoked, or was never there, gets no answer', () => {
  const { world, alice, carol, ask, append, read } = accessWorld('revoked asks');
  const own = ask(carol);
  const stranger = accessWorld('strangers').carol;
  expect(read(ask(stranger).wire)).toBe('not-a-member');
  append(createRevokeDevice({ ...world.as(alice), device: carol.id }));
  expect(read(own.wire)).toBe('not-a-member');
});

test('a request for another organisation or group is refused', () => {
  const { carol, random, ask, read } = accessWorld('elsewhere');
  expect(read(ask(carol, { org: orgId(random(32)) }).wire)).toBe('wrong-context');
  expect(read(ask(carol, { group: groupId(random(32)) }).wire)).toBe('wrong-context');
});

test('a request that names another membership log is refused', () => {
  const { world, carol, random, ask, read } = accessWorld('other log');
  const { size, root } = world.state;
  expect(read(ask(carol, { checkpoint: { size, root: random(32) } }).wire)).toBe('other-log');
  expect(read(ask(carol, { checkpoint: { size: size + 1, root } }).wire)).toBe('other-log');
});

test('a request from before a grant that its device has had is an old one, shown again', () => {
  const { alice, carol, dave, ask, record, read } = accessWorld('replayed request');
  const [given, old, others] = [ask(carol), ask(carol), ask(dave)];
  record(alice, given);
  expect(read(old.wire)).toBe('replayed');
  expect(read(others.wire)).toBe('open');
  expect(read(ask(carol).wire)).toBe('open');
});

test('a request that the relay may not keep any more is over', () => {
  const { clock, carol, ask, read } = accessWorld('old request');
  const own = ask(carol);
  clock.advance(30 * DAY_MS);
  expect(read(own.wire)).toBe('open');
  clock.advance(1);
  expect(read(own.wire)).toBe('expired');
});

test('a one-use key that nobody can seal to is refused', () => {
  const { carol, ask, read } = accessWorld('bad key');
  expect(read(ask(carol, { oneUseKey: new Uint8Array(1216).fill(0xff) }).wire)).toBe('bad-key');
});
