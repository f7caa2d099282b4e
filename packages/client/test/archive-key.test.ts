import { dealQuorum, memoryKeyStore, Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import {
  createPolicyChange,
  createRemoveMember,
  createRevokeDevice,
  createRoleChange,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { dealArchiveKey, readArchiveKeySet, redealArchiveKey } from '../src/archive-key.ts';
import { DirectoryReplica } from '../src/directory-replica.ts';
import { memoryJournal } from '../src/journal.ts';

const among = { threshold: 2, holders: ['Ana', 'Bram', 'Chidi'] };

/** An organisation of two admins and a member, and what one of their devices splits keys with. */
function organisation(seed: string, devicesPerMember = 1) {
  const world = seededWorld({ seed, members: 3, admins: 2, devicesPerMember });
  const [ada, bo, cy] = world.members.map(({ devices }) => devices[0]) as [
    SeededDevice,
    SeededDevice,
    SeededDevice,
  ];
  const on = async ({ id, signer }: SeededDevice) => {
    const directory = await DirectoryReplica.open({
      ...{ primitives, journal: memoryJournal(), keyStore: memoryKeyStore(), org: world.org },
    });
    await directory.append(world.wires);
    const ports = { primitives, random, clock: world.clock as never };
    return { ports, self: { device: id, signer }, directory };
  };
  const names = (key: Secret) =>
    world.append(
      createPolicyChange({
        ...world.as(ada),
        policy: {
          ...world.state.policy,
          archiveKey: key.use((bytes) => primitives.decapsulator(bytes).publicKey),
        },
      }),
    );
  return { world, ada, bo, cy, on, names };
}

test('a set is believed when a device of the log signed it and the policy has its key, or had', async () => {
  const { world, ada, bo, on, names } = organisation('a set');
  const [key, next] = [Secret.own(random(32)), Secret.own(random(32))];
  const { set } = await dealArchiveKey(await on(bo), key, among);
  const read = async (wire = set) => readArchiveKeySet(await on(ada), wire);
  await expect(read()).rejects.toMatchObject({ code: 'commitment-mismatch' });
  names(key);
  const member = world.members[1]?.id as never;
  const dealer = { device: bo.id, member, handle: 'member-1', role: 'admin' };
  const publicKey = key.use((bytes) => primitives.decapsulator(bytes).publicKey);
  expect(await read()).toMatchObject({ dealer, publicKey, isCurrent: true });
  names(next);
  expect(await read()).toMatchObject({ dealer, publicKey, isCurrent: false });
  world.append(createRoleChange({ ...world.as(ada), member, role: 'member' }));
  expect(await read()).toMatchObject({ dealer: { ...dealer, role: 'member' } });
  world.append(createRemoveMember({ ...world.as(ada), member }));
  expect(await read()).toMatchObject({ dealer: { ...dealer, role: null } });

  const altered = set.map((byte, at) => (at === set.length - 1 ? byte ^ 1 : byte));
  await expect(read(altered)).rejects.toMatchObject({ code: 'bad-signature' });
  await expect(read(set.slice(1))).rejects.toMatchObject({ code: 'malformed' });
  const elsewhere = organisation('another');
  elsewhere.names(key);
  const foreign = await dealArchiveKey(await elsewhere.on(elsewhere.ada), key, among);
  await expect(read(foreign.set)).rejects.toMatchObject({ code: 'wrong-context' });
});

test('a set that names another organisation or another device than its signer’s is refused', async () => {
  const { world, ada, bo, on, names } = organisation('forged');
  const key = Secret.own(random(32));
  names(key);
  const { set } = await dealArchiveKey(await on(bo), key, among);
  const inPlaceOf = (before: string, after: string): Uint8Array =>
    Buffer.from(Buffer.from(set).toString('hex').replace(before, after), 'hex');
  const mine = await on(ada);
  for (const [before, after] of [
    [bo.id, ada.id],
    [world.org, 'ab'.repeat(32)],
  ] as const) {
    const forged = inPlaceOf(before, after);
    expect(forged).not.toEqual(set);
    expect(() => readArchiveKeySet(mine, forged)).toThrow(expect.objectContaining({ code: 'bad-signature' }));
  }
  const other = await on(ada);
  const state = { ...other.directory.state, org: 'ab'.repeat(32) as never };
  const elsewhere = { ports: other.ports, directory: { state, wires: () => world.wires } as never };
  expect(() => readArchiveKeySet(elsewhere, set)).toThrow(expect.objectContaining({ code: 'wrong-context' }));
});

test('a set is believed of who was an admin with that device, at whatever time', async () => {
  const { world, ada, cy, on, names } = organisation('never an admin', 2);
  const key = Secret.own(random(32));
  names(key);
  // As a program would that does not ask whether it may.
  const dealtBy = async ({ signer }: SeededDevice): Promise<Uint8Array> => {
    const options = {
      primitives,
      random,
      org: world.org,
      kind: 'x-wing-seed',
      createdMs: 1,
      ...among,
    } as const;
    return (await dealQuorum({ ...options, signer, secret: key })).set;
  };
  const read = async (wire: Uint8Array) => readArchiveKeySet(await on(ada), wire);
  const never = await dealtBy(cy);
  await expect(read(never)).rejects.toMatchObject({ code: 'wrong-context' });
  const member = world.members[2]?.id as never;
  const give = (role: 'admin' | 'member') =>
    world.append(createRoleChange({ ...world.as(ada), member, role }));
  // A device that was ended before its member became an admin has never been an admin's.
  const ended = world.members[2]?.devices[1] as SeededDevice;
  world.append(createRevokeDevice({ ...world.as(ada), device: ended.id }));
  give('admin');
  await expect(read(never)).resolves.toMatchObject({ dealer: { role: 'admin' } });
  await expect(read(await dealtBy(ended))).rejects.toMatchObject({ code: 'wrong-context' });
  give('member');
  await expect(read(never)).resolves.toMatchObject({ dealer: { role: 'member' } });
});

test('enough shares split the same key anew, and the new set follows the old one', async () => {
  const { ada, bo, on, names } = organisation('anew');
  const key = Secret.own(random(32));
  names(key);
  const old = await dealArchiveKey(await on(ada), key, among);
  const previous = readArchiveKeySet(await on(bo), old.set);
  const shares = old.shares.map(({ share }) => share);
  const fewer = { threshold: 2, holders: ['Ana', 'Dunya'] };
  const context = await on(bo);
  await expect(redealArchiveKey(context, previous, shares.slice(0, 1), fewer)).rejects.toMatchObject({
    code: 'too-few-shares',
  });
  const anew = await redealArchiveKey(context, previous, shares.slice(1), fewer);
  const { set, publicKey, dealer } = readArchiveKeySet(await on(ada), anew.set);
  expect([set.previous, set.fingerprint, publicKey]).toEqual([
    previous.set.hash,
    previous.set.fingerprint,
    previous.publicKey,
  ]);
  expect([dealer.device, set.threshold, set.holders.map(({ name }) => name)]).toEqual([
    bo.id,
    2,
    ['Ana', 'Dunya'],
  ]);
});

test('who is no admin splits nothing', async () => {
  const { ada, cy, on, names } = organisation('no admin');
  const key = Secret.own(random(32));
  names(key);
  const { set, shares } = await dealArchiveKey(await on(ada), key, among);
  const context = await on(cy);
  const previous = readArchiveKeySet(context, set);
  const given = shares.map(({ share }) => share);
  expect(() => dealArchiveKey(context, key, among)).toThrow(notPermitted);
  expect(() => redealArchiveKey(context, previous, given, among)).toThrow(notPermitted);
});

const notPermitted = expect.objectContaining({ code: 'not-permitted' });
