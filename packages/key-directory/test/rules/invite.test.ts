import {
  createInvite,
  createRevokeInvite,
  inviteId,
  isInviteOpen,
  type EntryBody,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { codeFrom, forge, HOUR_MS, invite, join, refusal, stranger } from '../forge.ts';

let world = seededWorld({ seed: 'invite', members: 2 });
let admin: SeededDevice;
let member: SeededDevice;

beforeEach(() => {
  world = seededWorld({ seed: 'invite', members: 2 });
  admin = world.members[0].devices[0];
  member = world.members[1]?.devices[0] as SeededDevice;
});

function inviteBody(other: object = {}): EntryBody {
  const { publicKey } = world.primitives.signer(world.random(32));
  const expiresMs = world.clock.now() + HOUR_MS;
  return { kind: 'invite', publicKey, role: 'member', expiresMs, ...other };
}

describe('invite', () => {
  test('an admin may, for every role', () => {
    for (const role of ['admin', 'member', 'exporter'] as const) {
      const created = invite(world, role);
      const found = world.state.invites.get(created.id);
      expect(found).toMatchObject({
        lets: { in: 'member', role },
        issuedBy: admin.id,
        usedAt: null,
        revokedAt: null,
      });
      expect(isInviteOpen(world.state, found as never, world.clock.now())).toBe(true);
      expect(isInviteOpen(world.state, found as never, world.clock.now() + HOUR_MS + 1)).toBe(false);
    }
  });

  test('a member who is not an admin may not', () => {
    expect(refusal(world, forge(world, member, inviteBody()))).toBe('not-permitted');
    const input = { ...world.as(member), random: world.random, role: 'member' as const, expiresMs: 2 ** 50 };
    expect(codeFrom(() => createInvite(input))).toBe('not-permitted');
  });

  test('it does not expire before it is issued', () => {
    const now = world.clock.now();
    expect(refusal(world, forge(world, admin, inviteBody({ expiresMs: now })))).toBe(null);
    expect(refusal(world, forge(world, admin, inviteBody({ expiresMs: now - 1 })))).toBe('invite-expired');
  });

  test('a key that is not a key is refused', () => {
    expect(refusal(world, forge(world, admin, inviteBody({ publicKey: new Uint8Array(32) })))).toBe(
      'bad-key',
    );
  });

  test('a key invites once, and no device key invites', () => {
    const { id } = invite(world);
    const { publicKey } = world.state.invites.get(id) as { publicKey: Uint8Array };
    expect(refusal(world, forge(world, admin, inviteBody({ publicKey })))).toBe('id-reused');
    const ofDevice = member.signer.publicKey;
    expect(refusal(world, forge(world, admin, inviteBody({ publicKey: ofDevice })))).toBe('id-reused');
  });

  test('roles that do not exist cannot be written', () => {
    expect(refusal(world, forge(world, admin, inviteBody({ role: 'owner' })))).toBe('malformed');
  });
});

describe('revoke-invite', () => {
  test('an admin takes back an open invite, once', () => {
    const { id } = invite(world);
    world.append(createRevokeInvite({ ...world.as(admin), invite: id }));
    const found = world.state.invites.get(id);
    expect(found?.revokedAt).toBe(world.state.size - 1);
    expect(isInviteOpen(world.state, found as never, world.clock.now())).toBe(false);
    expect(refusal(world, forge(world, admin, { kind: 'revoke-invite', invite: id }))).toBe('invite-revoked');
  });

  test('a member who is not an admin may not', () => {
    const { id } = invite(world);
    expect(refusal(world, forge(world, member, { kind: 'revoke-invite', invite: id }))).toBe('not-permitted');
  });

  test('there must be something to take back', () => {
    const unknown = inviteId('ab'.repeat(32));
    expect(refusal(world, forge(world, admin, { kind: 'revoke-invite', invite: unknown }))).toBe(
      'invite-unknown',
    );
    const created = invite(world);
    world.append(join(world, created, stranger(world)));
    const used = world.state.invites.get(created.id);
    expect(isInviteOpen(world.state, used as never, world.clock.now())).toBe(false);
    expect(refusal(world, forge(world, admin, { kind: 'revoke-invite', invite: created.id }))).toBe(
      'invite-used',
    );
  });
});
