import { printRecipient } from '@keytide/archive';
import { publicKeyFingerprint, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { Policy } from '@keytide/key-directory';
import { expect, test } from 'vitest';
import { changedPolicy, policyChanges, POLICY_KEYS } from '../src/policy-keys.ts';

const plain: Policy = { blockSeconds: 86_400, retentionSeconds: 30 * 86_400, exportSeconds: 60 * 86_400 };
const key = '0a'.repeat(32);

test.each([
  ['block', '12h', { blockSeconds: 43_200 }],
  ['lease', '90m', { leaseSeconds: 5400 }],
  ['approvals.wipe', '2', { approvals: { wipe: 2 } }],
  ['witnesses', '2/24h', { witnesses: { needed: 2, maxAgeSeconds: 86_400 } }],
  ['privacy-budget', '1000/30d', { privacyBudget: { epsilonMilli: 1000, periodSeconds: 30 * 86_400 } }],
  ['relay-key', key, { relayKey: new Uint8Array(32).fill(10) }],
])('%s takes %s, shows it the same way, and leaves the rest alone', (name, value, change) => {
  const after = changedPolicy(plain, name, value);
  expect(after).toEqual({ ...plain, ...change });
  const shown = POLICY_KEYS.find((known) => known.key === name)?.read(after) as string;
  expect(changedPolicy(plain, name, shown)).toEqual(after);
  expect(policyChanges(plain, after)).toHaveLength(1);
});

test('what may be left out is left out by none, and by one admin', () => {
  const full: Policy = {
    ...plain,
    leaseSeconds: 60,
    silenceSeconds: 60,
    approvals: { administration: 3, wipe: 2 },
    recoveryKey: new Uint8Array(32),
    witnesses: { needed: 1, maxAgeSeconds: 60 },
  };
  let policy = full;
  for (const name of ['lease', 'silence', 'recovery-key', 'witnesses'])
    policy = changedPolicy(policy, name, 'none');
  policy = changedPolicy(policy, 'approvals.administration', '1');
  expect(policy).toEqual({ ...plain, approvals: { wipe: 2 } });
  expect(changedPolicy(policy, 'approvals.wipe', '1')).toEqual(plain);
  expect(full.approvals).toEqual({ administration: 3, wipe: 2 });
});

test('an archive key is taken as age writes it, and shown by its fingerprint', () => {
  const { publicKey } = primitives.decapsulator(new Uint8Array(32).fill(6));
  const after = changedPolicy(plain, 'archive-key', printRecipient(publicKey));
  expect(after).toEqual({ ...plain, archiveKey: publicKey });
  const fingerprint = toHex(publicKeyFingerprint(primitives, 'x-wing-seed', publicKey));
  expect(policyChanges(plain, after)).toEqual([`archive-key: none → ${fingerprint}`]);
  expect(changedPolicy(after, 'archive-key', 'none')).toEqual(plain);
});

test.each([
  ['colour', '1'],
  ['archive-key', 'age1pq'],
  ['archive-key', key],
  ['block', 'none'],
  ['block', 'soon'],
  ['witnesses', '2'],
  ['witnesses', '/24h'],
  ['approvals.wipe', '17'],
  ['approvals.wipe', '0'],
  ['relay-key', 'abcd'],
])('%s does not take %s', (name, value) => {
  expect(() => changedPolicy(plain, name, value)).toThrow(expect.objectContaining({ code: 'usage' }));
});
