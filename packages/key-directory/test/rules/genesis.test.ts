import { encodeDeviceRecord } from '@keytide/crypto-core';
import {
  applyEntry,
  createGenesis,
  encodeEntry,
  encodeEntryWire,
  everyoneGroup,
  parseEntry,
  publishKeys,
  signEntry,
  type BodyOf,
  type Policy,
} from '@keytide/key-directory';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { codeFrom, stranger } from '../forge.ts';

const world = seededWorld({ seed: 'genesis', members: 1 });
const { primitives, random } = world;
const device = stranger(world);
const policy: Policy = { blockSeconds: 10, retentionSeconds: 20, exportSeconds: 30 };
const nowMs = world.clock.now();
const input = { primitives, random, device: device.own, handle: 'ada', policy, nowMs };
const genesis = createGenesis(input);

function bodyWith(other: Partial<BodyOf<'genesis'>>): BodyOf<'genesis'> {
  const { body } = parseEntry(primitives, genesis);
  return { ...(body as BodyOf<'genesis'>), ...other };
}

function codeOfGenesis(other: Partial<BodyOf<'genesis'>>, signer = device.signer): string | null {
  const fields = { org: null, index: 0, previousHash: null, timeMs: nowMs, body: bodyWith(other) };
  return codeFrom(() => applyEntry(primitives, null, signEntry(primitives, signer, fields)));
}

test('the founder becomes admin, and the hash of the entry the organisation', () => {
  const state = applyEntry(primitives, null, genesis);
  const entry = parseEntry(primitives, genesis);
  expect(state.org).toBe(entry.hash);
  expect(state).toMatchObject({
    size: 1,
    headHash: entry.hash,
    timeMs: nowMs,
    policy,
    policyAt: 0,
    activeDevices: 1,
  });
  expect(state.everyone).toBe(everyoneGroup(primitives, state.org));
  expect([...state.members.values()]).toMatchObject([
    { handle: 'ada', role: 'admin', removedAt: null, activeDevices: [device.id] },
  ]);
  expect([...state.devices.keys()]).toEqual([device.id]);
});

test('two organisations of one device are two organisations', () => {
  const again = applyEntry(primitives, null, createGenesis(input));
  expect(again.org).not.toBe(applyEntry(primitives, null, genesis).org);
});

test('the same body, signed anew, is accepted', () => {
  expect(codeOfGenesis({})).toBe(null);
});

test('a genesis not signed by the device it brings is refused', () => {
  const other = stranger(world);
  expect(codeOfGenesis({}, other.signer)).toBe('unknown-author');
  const bytes = encodeEntry({
    org: null,
    index: 0,
    previousHash: null,
    timeMs: nowMs,
    author: device.id,
    body: bodyWith({}),
  });
  const wire = encodeEntryWire(bytes, [{ device: device.id, signature: new Uint8Array(64).fill(1) }]);
  expect(codeFrom(() => applyEntry(primitives, null, wire))).toBe('bad-signature');
});

test.each([
  ['a block longer than X', { blockSeconds: 21 }],
  ['X longer than Y', { exportSeconds: 19 }],
  ['a block of nothing', { blockSeconds: 0 }],
  ['half seconds', { blockSeconds: 1.5 }],
  ['ages', { exportSeconds: 2 ** 40 }],
])('a policy with %s is refused', (_, wrong) => {
  expect(codeOfGenesis({ policy: { ...policy, ...wrong } })).toBe('malformed');
});

test('a policy with a part that this build does not know is newer, whatever the rest', () => {
  for (const wrong of [{ other: 1 }, { other: 1, blockSeconds: 0 }, { approvals: { coffee: 2 } }])
    expect(codeOfGenesis({ policy: { ...policy, ...wrong } as typeof policy })).toBe('unsupported-version');
});

test('keys that are not fit for use are refused', () => {
  const smallOrder = new Uint8Array(32);
  const deviceRecord = encodeDeviceRecord({ signingPublicKey: smallOrder, abilities: 0 });
  expect(codeOfGenesis({ deviceRecord })).toBe('bad-key');
  expect(codeOfGenesis({ deviceRecord: new Uint8Array(20) })).toBe('malformed');
  const late = publishKeys(primitives, { ...device.own, notBeforeMs: nowMs + 1 });
  expect(codeOfGenesis({ sealingRecord: late.sealingRecord })).toBe('bad-sealing-record');
});

test('a handle that could pass for something else is refused', () => {
  expect(codeOfGenesis({ handle: 'ada\u202e' })).toBe('bad-handle');
  expect(codeFrom(() => createGenesis({ ...input, handle: '' }))).toBe('bad-handle');
  // Normalisation form C is the builder's business: the rules must not hang on Unicode tables.
  expect(codeFrom(() => createGenesis({ ...input, handle: 'Zoe\u0308' }))).toBe('bad-handle');
  expect(codeOfGenesis({ handle: 'Zoe\u0308' })).toBe(null);
});

test('its policy asks for no more admins than its founder, and names no key of the device', () => {
  expect(codeOfGenesis({ policy: { ...policy, approvals: { wipe: 2 } } })).toBe('too-few-admins');
  expect(codeOfGenesis({ policy: { ...policy, relayKey: device.signer.publicKey } })).toBe('id-reused');
  expect(codeOfGenesis({ policy: { ...policy, recoveryKey: device.signer.publicKey } })).toBe('id-reused');
  expect(codeOfGenesis({ policy: { ...policy, recoveryKey: new Uint8Array(32) } })).toBe('bad-key');
});
