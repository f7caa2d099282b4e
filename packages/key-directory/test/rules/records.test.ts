import type { DeviceId, GroupId } from '@keytide/crypto-core';
import {
  createDeletionReceipt,
  createGrantRecord,
  createPolicyChange,
  createRevokeDevice,
  type BodyOf,
} from '@keytide/key-directory';
import { seededDevice, seededWorld, type SeededDevice, type SeededMember } from '@keytide/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { forge, refusal } from '../forge.ts';

let world = seededWorld({ seed: 'records', members: 3, admins: 2 });
let admin: SeededDevice;
let second: SeededDevice;
let member: SeededDevice;

beforeEach(() => {
  world = seededWorld({ seed: 'records', members: 3, admins: 2 });
  [admin, second, member] = (world.members as readonly SeededMember[]).map(({ devices }) => devices[0]) as [
    SeededDevice,
    SeededDevice,
    SeededDevice,
  ];
});

describe('grant', () => {
  const grant = (other: object = {}): Omit<BodyOf<'grant'>, 'kind'> => ({
    request: new Uint8Array(32).fill(1),
    device: member.id,
    group: world.state.everyone,
    firstEpoch: 3,
    lastEpoch: 7,
    ...other,
  });
  const codeOf = (author: SeededDevice, other?: object): string | null =>
    refusal(world, forge(world, author, { kind: 'grant', ...grant(other) }));

  test('an admin records it, once for each request', () => {
    world.append(createGrantRecord({ ...world.as(admin), grant: grant() }));
    expect(codeOf(second)).toBe('already-granted');
    expect(codeOf(second, { request: new Uint8Array(32).fill(2) })).toBe(null);
  });

  test('takes an admin, an active device and the group', () => {
    expect(codeOf(member)).toBe('not-permitted');
    expect(codeOf(admin, { device: 'ab'.repeat(32) as DeviceId })).toBe('unknown-device');
    expect(codeOf(admin, { group: 'ab'.repeat(32) as GroupId })).toBe('unknown-group');
    world.append(createRevokeDevice({ ...world.as(admin), device: member.id }));
    expect(codeOf(admin)).toBe('unknown-device');
  });

  test('names epochs in their order', () => {
    expect(codeOf(admin, { firstEpoch: 8 })).toBe('malformed');
    expect(codeOf(admin, { firstEpoch: 0 })).toBe('malformed');
    expect(codeOf(admin, { firstEpoch: 7 })).toBe(null);
  });
});

describe('deletion-receipt', () => {
  let relay: SeededDevice;
  const deleted = (firstSeq: number, lastSeq: number): Omit<BodyOf<'deletion-receipt'>, 'kind'> => ({
    group: world.state.everyone,
    firstSeq,
    lastSeq,
    root: new Uint8Array(32).fill(9),
  });
  const codeOf = (author: SeededDevice, first: number, last: number, other: object = {}): string | null =>
    refusal(world, forge(world, author, { kind: 'deletion-receipt', ...deleted(first, last), ...other }));

  beforeEach(() => {
    relay = seededDevice(world.primitives, world.random, world.clock.now());
    const policy = { ...world.state.policy, relayKey: relay.signer.publicKey };
    world.append(createPolicyChange({ ...world.as(admin), policy }));
  });

  test('the relay appends them, one after the other', () => {
    world.append(createDeletionReceipt({ ...world.as(relay), deleted: deleted(1, 10) }));
    expect(world.state.deletedUpTo.get(world.state.everyone)).toBe(10);
    expect(codeOf(relay, 1, 11)).toBe('wrong-stretch');
    expect(codeOf(relay, 12, 13)).toBe('wrong-stretch');
    expect(codeOf(relay, 11, 11)).toBe(null);
    expect(codeOf(relay, 11, 10)).toBe('malformed');
  });

  test('nobody else does, and the relay nothing else', () => {
    expect(codeOf(admin, 1, 10)).toBe('unknown-author');
    expect(codeOf(relay, 1, 10, { group: 'ab'.repeat(32) as GroupId })).toBe('unknown-group');
    const claimed = { kind: 'deletion-receipt' as const, ...deleted(1, 10) };
    expect(refusal(world, forge(world, admin, claimed, { claimedAuthor: relay.id }))).toBe('bad-signature');
    const revoke = { kind: 'revoke-device' as const, device: member.id };
    expect(refusal(world, forge(world, relay, revoke))).toBe('unknown-author');
  });

  test('an organisation that names no relay takes none', () => {
    const { relayKey: _, ...policy } = world.state.policy;
    world.append(createPolicyChange({ ...world.as(admin), policy }));
    expect(codeOf(relay, 1, 10)).toBe('unknown-author');
  });
});
