import { createAccessAnswer, Secret, toHex } from '@keytide/crypto-core';
import { createRevokeDevice, createRoleChange, type Device } from '@keytide/key-directory';
import { expect, test } from 'vitest';
import { judgeAnswer, type AnswerVerdict } from '../src/judge-answer.ts';
import type { OwnRequest } from '../src/own-request.ts';
import { accessWorld } from './access-world.ts';

function judging(seed: string) {
  const access = accessWorld(seed);
  const { primitives, world, wireAt } = access;
  const judge = (own: OwnRequest, wire: Uint8Array): AnswerVerdict =>
    judgeAnswer({ primitives, state: world.state, wireAt, own }, wire);
  const codeOf = (own: OwnRequest, wire: Uint8Array): string => {
    const verdict = judge(own, wire);
    return verdict.kind === 'rejected' ? verdict.code : verdict.kind;
  };
  return { ...access, judge, codeOf };
}

test('a grant is taken once the log has it, with its keys', () => {
  const { alice, carol, ask, answer, record, judge, codeOf } = judging('taken');
  const own = ask(carol);
  const wire = answer(alice, own, [3, 5]);
  expect(codeOf(own, wire)).toBe('waiting');
  record(alice, own);
  const verdict = judge(own, wire);
  expect(verdict).toMatchObject({ kind: 'granted', author: alice.id, keys: [{ epoch: 3 }, { epoch: 5 }] });
});

test('a refusal has its reason, and needs no entry in the log', () => {
  const { alice, carol, ask, answer, judge } = judging('refused');
  const own = ask(carol);
  const verdict = judge(own, answer(alice, own, 'Call me first.'));
  expect(verdict).toEqual({ kind: 'refused', author: alice.id, reason: 'Call me first.' });
});

test('an answer to a request that this device does not wait for is none: replayed, another’s, or made up', () => {
  const { alice, carol, dave, random, primitives, ask, answer, record, codeOf } = judging('unknown request');
  const [old, own, others] = [ask(carol), ask(carol), ask(dave)];
  for (const request of [old, others]) record(alice, request);
  expect(codeOf(own, answer(alice, old, [3]))).toBe('unknown-request');
  expect(codeOf(own, answer(alice, others, [3]))).toBe('unknown-request');
  const madeUp = { ...own.request, hash: random(32) };
  const keys = [{ epoch: 3, key: Secret.own(random(32)) }];
  const content = { verdict: 'granted', keys } as const;
  const input = { primitives, signer: alice.signer, request: madeUp, content, createdMs: 1 };
  expect(codeOf(own, createAccessAnswer(input))).toBe('unknown-request');
});

test('whoever is no admin now gives and refuses nothing, though they were one', () => {
  const { world, alice, bob, carol, dave, ask, answer, record, append, codeOf } = judging('former admin');
  const own = ask(carol);
  const answers = [answer(bob, own, [3]), answer(bob, own, 'no')];
  record(bob, own);
  expect(codeOf(own, answers[0] as Uint8Array)).toBe('granted');
  const { member } = world.state.devices.get(bob.id) as Device;
  append(createRoleChange({ ...world.as(alice), member, role: 'member' }));
  for (const wire of answers) expect(codeOf(own, wire)).toBe('former-admin');
  expect(codeOf(own, answer(dave, own, 'no'))).toBe('former-admin');
});

test('a revoked device of an admin gives nothing', () => {
  const { world, alice, bob, carol, ask, answer, record, append, codeOf } = judging('revoked admin');
  const own = ask(carol);
  const wire = answer(bob, own, [3]);
  record(bob, own);
  append(createRevokeDevice({ ...world.as(alice), device: bob.id }));
  expect(codeOf(own, wire)).toBe('former-admin');
});

test('the answer is by the admin whom the log names', () => {
  const { alice, bob, carol, ask, answer, record, codeOf } = judging('other admin');
  const own = ask(carol);
  const answers = [answer(alice, own, [3]), answer(bob, own, [3])] as const;
  record(bob, own);
  expect(codeOf(own, answers[0])).toBe('other-admin');
  expect(codeOf(own, answers[1])).toBe('granted');
});

test('the entry is of this device', () => {
  const { alice, carol, dave, ask, answer, record, codeOf } = judging('other device');
  const own = ask(carol);
  record(alice, own, { device: dave.id });
  expect(codeOf(own, answer(alice, own, [3]))).toBe('wrong-context');
});

test('keys that were not asked for, or that the log does not name, are not taken, and none with them', () => {
  const { alice, carol, ask, answer, record, codeOf } = judging('beyond');
  const own = ask(carol);
  record(alice, own, { firstEpoch: 1, lastEpoch: 9 });
  for (const epochs of [
    [2, 3],
    [5, 6],
  ])
    expect(codeOf(own, answer(alice, own, epochs))).toBe('beyond-entitlement');
  expect(codeOf(own, answer(alice, own, [3, 4, 5]))).toBe('granted');
  const narrow = ask(carol);
  record(alice, narrow, { firstEpoch: 4, lastEpoch: 4 });
  expect(codeOf(narrow, answer(alice, narrow, [3, 4]))).toBe('beyond-entitlement');
  expect(codeOf(narrow, answer(alice, narrow, [4]))).toBe('granted');
});

test('an answer that was altered, or put together from others, opens nothing', () => {
  const { alice, bob, carol, primitives, ask, answer, record, codeOf } = judging('altered');
  const own = ask(carol);
  record(alice, own);
  const wire = answer(alice, own, [3]);
  expect(
    codeOf(
      own,
      wire.map((byte, i) => (i === wire.length - 1 ? byte ^ 1 : byte)),
    ),
  ).toBe('bad-signature');
  // The box in its middle, under a signature that holds: Alice's words, for another one-use key.
  const other = ask(carol);
  const moved = { ...own.request, oneUseKey: other.request.oneUseKey };
  const content = { verdict: 'refused', reason: 'no' } as const;
  const input = { primitives, signer: alice.signer, request: moved, content, createdMs: 1 };
  expect(codeOf(own, createAccessAnswer(input))).toBe('decryption-failed');
  expect(codeOf(own, wire.subarray(2))).toBe('malformed');
  expect(toHex(own.request.hash)).toBe(own.id);
  expect(codeOf(own, answer(bob, own, [3]))).toBe('other-admin');
});
