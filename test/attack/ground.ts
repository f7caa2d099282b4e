import { fromBase64Url, toHex, type OrgId } from '@keytide/crypto-core';
import {
  createInvite,
  createRemoveMember,
  createRevokeDevice,
  createWipe,
  type Policy,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice, type SeededWorld } from '@keytide/testkit';
import {
  appendLog,
  asDevice,
  call,
  relayUnderTest,
  settle,
  tokenOf,
  tryLogin,
  type RelayUnderTest,
} from '../../packages/server-relay/test/relay-under-test.ts';
import { operationsOf, type Operation } from './operations.ts';

/** Who comes with a session that counts. */
export type Visitor = 'admin' | 'member' | 'wiped' | 'invite' | 'recovery';

/** Why what somebody comes with is no session here. */
type Pretence =
  | 'nothing'
  | 'garbage'
  | 'another organisation'
  | 'expired'
  | 'logged out'
  | 'refreshed since'
  | 'a refresh token'
  | 'of a stolen session'
  | 'revoked'
  | 'removed';

/** A relay with two organisations, and everybody who may come to it. */
export interface Ground {
  readonly relay: RelayUnderTest;
  readonly world: SeededWorld;
  readonly other: SeededWorld;
  readonly operations: readonly Operation[];
  /** Tokens that count. */
  readonly visitors: Readonly<Record<Visitor, string>>;
  /** Tokens that do not; `undefined` for none. */
  readonly pretenders: ReadonlyMap<Pretence, string | undefined>;
}

interface Tokens {
  readonly token: string;
  readonly refreshToken: string;
}

const HOUR_SECONDS = 3_600;
const ACCESS_MS = 900_000;

/** Opens it; the same on every run. */
export async function openGround(): Promise<Ground> {
  const primitives = seededWorld({ seed: 'attack: any', members: 1 }).primitives;
  const recovery = primitives.signer(new Uint8Array(32).fill(0x61));
  const times = { blockSeconds: HOUR_SECONDS, retentionSeconds: HOUR_SECONDS, exportSeconds: HOUR_SECONDS };
  const policy: Policy = { ...times, leaseSeconds: HOUR_SECONDS, recoveryKey: recovery.publicKey };
  const world = seededWorld({ seed: 'attack', members: 5, policy });
  const other = seededWorld({ seed: 'attack: another', members: 2 });
  const { org, clock } = world;
  const [admin, member, wiped, revoked, removed] = world.members.map(({ devices }) => devices[0]) as [
    SeededDevice,
    SeededDevice,
    SeededDevice,
    SeededDevice,
    SeededDevice,
  ];
  const relay = await relayUnderTest({ clock });
  const settled = await settle(relay, world);
  await settle(relay, other);
  const pretenders = new Map<Pretence, string | undefined>([
    ['nothing', undefined],
    ['garbage', 'A'.repeat(86)],
  ]);
  async function loginOf(device: SeededDevice): Promise<Tokens> {
    return (await tryLogin(relay, org, asDevice(device))).body as unknown as Tokens;
  }
  async function refreshed(refreshToken: string): Promise<void> {
    await call(relay, 'POST', `/organisations/${org}/sessions/refresh`, { body: { refreshToken } });
  }
  async function written(wire: Uint8Array): Promise<void> {
    world.append(wire);
    const { status, body } = await appendLog(relay, org, settled, wire);
    if (status !== 201) throw new Error(`${status} ${body.code} ${body.reason}`);
  }

  pretenders.set('revoked', (await loginOf(revoked)).token);
  pretenders.set('removed', (await loginOf(removed)).token);
  const invite = createInvite({
    ...world.as(admin),
    random: world.random,
    role: 'member',
    expiresMs: clock.now() + 24 * HOUR_SECONDS * 1000,
  });
  await written(invite.wire);
  await written(createRevokeDevice({ ...world.as(admin), device: revoked.id }));
  await written(createRemoveMember({ ...world.as(admin), member: memberOf(world, removed) }));
  await written(createWipe({ ...world.as(admin), target: { of: 'device', device: wiped.id } }));

  pretenders.set('expired', (await loginOf(member)).token);
  clock.advance(ACCESS_MS);
  const out = (await loginOf(member)).token;
  await call(relay, 'POST', `/organisations/${org}/sessions/end`, { token: out, body: { which: 'this' } });
  pretenders.set('logged out', out);
  pretenders.set('another organisation', await tokenOf(relay, other.org, other.members[0].devices[0]));
  const old = await loginOf(member);
  await refreshed(old.refreshToken);
  pretenders.set('refreshed since', old.token);
  pretenders.set('a refresh token', (await loginOf(member)).refreshToken);
  const stolen = await loginOf(member);
  await refreshed(stolen.refreshToken);
  await refreshed(stolen.refreshToken);
  pretenders.set('of a stolen session', stolen.token);

  const inviteSigner = invite.seed.use((seed) => primitives.signer(seed));
  const asInvite = { subject: { kind: 'invite', id: invite.id } as const, signer: inviteSigner };
  const subject = { kind: 'recovery', id: toHex(recovery.publicKey) } as const;
  const visitors = {
    admin: (await loginOf(admin)).token,
    member: (await loginOf(member)).token,
    wiped: (await loginOf(wiped)).token,
    invite: (await tryLogin(relay, org, asInvite)).body.token,
    recovery: (await tryLogin(relay, org, { subject, signer: recovery })).body.token,
  };
  for (const [visitor, token] of Object.entries(visitors))
    if (fromBase64Url(token ?? '')?.length !== 64) throw new Error(`${visitor} has no session`);
  return { relay, world, other, operations: await operationsOf(relay.url), visitors, pretenders };
}

function memberOf({ state }: SeededWorld, device: SeededDevice) {
  const found = state.devices.get(device.id);
  if (found === undefined) throw new Error('no such device');
  return found.member;
}

/** An organisation that this relay has never heard of. */
export function nowhere({ random }: SeededWorld): OrgId {
  return toHex(random(32)) as OrgId;
}
