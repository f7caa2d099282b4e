import { join, memoryDeviceStore, type AuditedEntry } from '@keytide/client';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import {
  approveEntry,
  checkpointOf,
  createDeviceInvite,
  createInvite,
  createRoleChange,
  encodeApproval,
  formatInviteLink,
} from '@keytide/key-directory';
import { expect, test } from 'vitest';
import { burgle, type Loot } from './loot.ts';
import { noonPorts, now } from './noon-ports.ts';
import { rawAppend } from './raw-session.ts';
import { definition, until, type Person, type Stage } from './stage.ts';

/** What others do in a member's name, and what only looks like it. */
export function doneInOnesName(stage: () => Stage): void {
  /** A device of whoever has the link, whatever becomes of it. */
  async function comeIn(link: string): Promise<string> {
    const client = await join({ definition, ports: noonPorts, store: memoryDeviceStore(), link });
    await client.close();
    return client.device;
  }

  /** Appends what the holder of a stolen key has signed. */
  async function appendAs({ directory, device: id, signer }: Loot, wire: Uint8Array): Promise<void> {
    const { relay, hostile } = stage();
    const subject = { kind: 'device', id } as const;
    const login = { url: relay.url, relayName: hostile.url, org: directory.org, subject, signer };
    expect((await rawAppend(login, wire)).status).toBe(201);
  }

  const thiefs = ({ directory: state, signer }: Loot) => ({
    primitives,
    random,
    state,
    signer,
    nowMs: now(),
    expiresMs: now() + 60_000,
  });
  const kinds = (entries: readonly AuditedEntry[]) => entries.map(({ body, alarm }) => [body.kind, alarm]);
  const knows = (person: Person, size: number) =>
    until(() => person.client.directorySize === size, `${size} entries`);

  test('what the device itself has written is no alarm, also when it is opened again', async () => {
    const { ada, bo } = await stage().pair();
    await ada.client.invite();
    await ada.client.setRole(bo.client.member, 'admin');
    await ada.client.setPolicy((policy) => ({ ...policy, approvals: { administration: 2 } }));
    await knows(bo, ada.client.directorySize);
    const proposal = await ada.client.propose({ kind: 'role', member: bo.client.member, role: 'member' });
    await bo.client.submit(proposal, [await bo.client.approve(proposal)]);
    await knows(ada, bo.client.directorySize);
    const told: number[] = [];
    for (const person of [ada, await stage().reopen(ada), bo, await stage().reopen(bo)]) {
      person.client.on('stolen-key', ({ index }) => told.push(index));
      expect((await person.client.audit()).alarms).toEqual([]);
    }
    expect(told).toEqual([]);
    const { entries, size } = await bo.client.audit({ offline: true });
    expect(kinds(entries)).toEqual([
      ['join', null],
      ['role', null],
      ['role', null],
    ]);
    expect(size).toBe(7);
    expect(entries[0]).toMatchObject({ invitedBy: { handle: 'ada' }, signedBy: [{ handle: 'bo' }] });
    expect(entries[2]?.signedBy).toMatchObject([{ handle: 'ada' }, { handle: 'bo' }]);
  });

  test('written with a stolen key: the loudest alarm, at once and whenever the client is opened', async () => {
    const { ada, bo } = await stage().pair();
    const loot = await burgle(bo);
    const { wire, seed } = createDeviceInvite({ ...thiefs(loot), member: bo.client.member });
    const told: number[] = [];
    bo.client.on('stolen-key', ({ index }) => told.push(index));
    await appendAs(loot, wire);
    await until(() => told.length > 0, 'the alarm');
    const ghost = await comeIn(
      formatInviteLink({
        relayUrl: stage().hostile.url,
        org: loot.directory.org,
        checkpoint: checkpointOf(loot.directory),
        seed,
      }),
    );
    await knows(bo, 5);
    await bo.client.inviteDevice();
    const again = await stage().reopen(bo);
    again.client.on('stolen-key', ({ index }) => told.push(index));
    expect(told).toEqual([3, 3]);
    const { alarms } = await again.client.audit();
    expect(kinds(alarms)).toEqual([
      ['invite-device', 'stolen-key'],
      ['add-device', 'foreign-device'],
    ]);
    expect(alarms[1]?.signedBy).toMatchObject([{ device: ghost }]);
    expect(kinds((await ada.client.audit()).alarms)).toEqual([]);
  });

  test('approved with a stolen key: as loud', async () => {
    const { ada, bo } = await stage().pair();
    const cy = await stage().admit(ada, 'cy');
    await ada.client.setRole(bo.client.member, 'admin');
    await ada.client.setPolicy((policy) => ({ ...policy, approvals: { administration: 2 } }));
    const wire = await ada.client.propose({ kind: 'role', member: cy.client.member, role: 'admin' });
    await knows(bo, ada.client.directorySize);
    const { directory: state, signer } = await burgle(bo);
    await ada.client.submit(wire, [encodeApproval(approveEntry({ primitives, state, wire, signer }))]);
    await knows(bo, ada.client.directorySize);
    const { alarms } = await bo.client.audit();
    expect(kinds(alarms)).toEqual([['role', 'stolen-key']]);
    expect((await ada.client.audit()).alarms).toEqual([]);
  });

  test('proposed with a stolen key, and submitted by its victim: submitting is not signing', async () => {
    const { ada, bo } = await stage().pair();
    const loot = await burgle(ada);
    const proposal = createRoleChange({ ...thiefs(loot), member: bo.client.member, role: 'exporter' });
    await ada.client.submit(proposal, []);
    expect(kinds((await ada.client.audit()).alarms)).toEqual([['role', 'stolen-key']]);
  });

  test('a device that somebody else invited: an alarm until the person took note of it', async () => {
    const { ada, bo } = await stage().pair();
    const ghost = await comeIn(await ada.client.inviteDevice({ member: bo.client.member }));
    await knows(bo, 5);
    const report = await bo.client.audit();
    expect(kinds(report.entries)).toEqual([
      ['join', null],
      ['invite-device', null],
      ['add-device', 'foreign-device'],
    ]);
    expect(report.alarms).toMatchObject([
      { index: 4, signedBy: [{ device: ghost, handle: 'bo' }], invitedBy: { handle: 'ada' } },
    ]);
    const self = bo.client.members().find(({ id }) => id === bo.client.member);
    await bo.client.acknowledge(self as NonNullable<typeof self>);
    const { entries, alarms } = await bo.client.audit();
    expect(alarms).toEqual([]);
    expect(entries).toEqual(report.entries);
  });

  test('what such a device does is an alarm too, and what an admin does about it is not', async () => {
    const { ada, bo } = await stage().pair();
    const store = memoryDeviceStore();
    const link = await ada.client.inviteDevice({ member: bo.client.member });
    const ghost = await join({ definition, ports: noonPorts, store, link });
    const friend = await comeIn(await ghost.inviteDevice());
    await ada.client.revokeDevice(ghost.device);
    await ghost.close();
    await knows(bo, ada.client.directorySize);
    const { entries } = await bo.client.audit();
    expect(kinds(entries)).toEqual([
      ['join', null],
      ['invite-device', null],
      ['add-device', 'foreign-device'],
      ['invite-device', 'foreign-device'],
      ['add-device', 'foreign-device'],
      ['revoke-device', null],
    ]);
    expect(entries[4]).toMatchObject({ signedBy: [{ device: friend }], invitedBy: { device: ghost.device } });
    expect(entries[5]).toMatchObject({ signedBy: [{ handle: 'ada' }], body: { device: ghost.device } });
  });

  test('a second device that one has invited oneself: no alarm on either, nor what it does', async () => {
    const { ada, bo } = await stage().pair();
    const store = memoryDeviceStore();
    const second = await join({
      definition,
      ports: noonPorts,
      store,
      link: await bo.client.inviteDevice(),
    });
    await second.inviteDevice();
    await ada.client.wipe({ of: 'everyone-but-admins' });
    await until(() => bo.client.state.kind === 'wiped' && second.state.kind === 'wiped', 'both to be told');
    for (const client of [bo.client, second]) {
      const { entries } = await client.audit({ offline: true });
      expect(kinds(entries).slice(0, 4)).toEqual([
        ['join', null],
        ['invite-device', null],
        ['add-device', null],
        ['invite-device', null],
      ]);
    }
    await second.close();
  });

  test('what was signed before the log of then, and is not in it yet, is known when it comes', async () => {
    const { ada, bo } = await stage().pair();
    const late = await ada.client.propose({ kind: 'role', member: bo.client.member, role: 'exporter' });
    const again = await stage().reopen(ada);
    await bo.client.submit(late, []);
    await knows(again, 4);
    expect((await again.client.audit()).alarms).toEqual([]);
    // The same act, signed by a thief: another time, another entry.
    const loot = await burgle(again);
    const { wire } = createInvite({ ...thiefs(loot), nowMs: now() + 1000, role: 'member' });
    await appendAs(loot, wire);
    await knows(again, 5);
    expect(kinds((await again.client.audit()).alarms)).toEqual([['invite', 'stolen-key']]);
  });
}
