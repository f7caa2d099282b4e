import { createPolicyChange, type Policy } from '@keytide/key-directory';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { beforeEach, expect, test } from 'vitest';
import { codeFrom, forge, refusal } from '../forge.ts';

let world = seededWorld({ seed: 'policy', members: 3, admins: 2 });
let admin: SeededDevice;

beforeEach(() => {
  world = seededWorld({ seed: 'policy', members: 3, admins: 2 });
  admin = world.members[0].devices[0];
});

const changed = (other: object): Uint8Array =>
  forge(world, admin, { kind: 'policy', policy: { ...world.state.policy, ...other } as Policy });
const codeOf = (other: object): string | null => refusal(world, changed(other));
const key = (): Uint8Array => world.primitives.signer(world.random(32)).publicKey;

test('an admin may put another in its place, whole', () => {
  const archiveKey = world.primitives.decapsulator(world.random(32)).publicKey;
  const policy: Policy = {
    blockSeconds: 3600,
    retentionSeconds: 7200,
    exportSeconds: 10_800,
    leaseSeconds: 86_400,
    silenceSeconds: 7200,
    approvals: { administration: 2, wipe: 2, export: 2, recovery: 2 },
    archiveKey,
    recoveryKey: key(),
    relayKey: key(),
    witnesses: { needed: 2, maxAgeSeconds: 86_400 },
  };
  world.append(createPolicyChange({ ...world.as(admin), policy }));
  expect(world.state.policy).toEqual(policy);
});

test('nobody else may, and not for nothing', () => {
  const policy = { ...world.state.policy, blockSeconds: 60 };
  const member = world.members[2]?.devices[0] as SeededDevice;
  expect(codeFrom(() => createPolicyChange({ ...world.as(member), policy }))).toBe('not-permitted');
  expect(codeOf({})).toBe('unchanged');
});

test.each<[string, object]>([
  ['X below a block', { retentionSeconds: 1 }],
  ['Y below X', { exportSeconds: 1 }],
  ['half a second', { leaseSeconds: 0.5 }],
  ['no time at all', { silenceSeconds: 0 }],
  ['an approval of one', { approvals: { wipe: 1 } }],
  ['no approvals', { approvals: {} }],
  ['a short key', { recoveryKey: new Uint8Array(31) }],
  ['a short archive key', { archiveKey: new Uint8Array(1215) }],
  ['no witnesses', { witnesses: { needed: 0, maxAgeSeconds: 1 } }],
])('%s is malformed', (_, other) => {
  expect(codeOf(other)).toBe('malformed');
});

test('its keys can be used', () => {
  expect(codeOf({ recoveryKey: new Uint8Array(32) })).toBe('bad-key');
  expect(codeOf({ relayKey: new Uint8Array(32).fill(0xff) })).toBe('bad-key');
  expect(codeOf({ archiveKey: new Uint8Array(1216).fill(0xff) })).toBe('bad-key');
});

test('its keys have no other use', () => {
  for (const name of ['recoveryKey', 'relayKey']) {
    expect(codeOf({ [name]: admin.signer.publicKey })).toBe('id-reused');
  }
  const recoveryKey = key();
  world.append(changed({ recoveryKey }));
  expect(codeOf({ relayKey: recoveryKey })).toBe('id-reused');
  expect(codeOf({ blockSeconds: 60 })).toBe(null);
});

test('it asks for no more admins than there are', () => {
  expect(codeOf({ approvals: { wipe: 3 } })).toBe('too-few-admins');
  expect(codeOf({ approvals: { wipe: 2 } })).toBe(null);
});
