import { Secret, toHex } from '@keytide/crypto-core';
import {
  createPolicyChange,
  createRecovery,
  createRemoveMember,
  newMemberId,
  type Policy,
} from '@keytide/key-directory';
import type { Subject } from '@keytide/relay-protocol';
import { seededDevice, seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dial } from './line.ts';
import {
  appendLog,
  call,
  relayUnderTest,
  settle,
  tryLogin,
  type Answer,
  type RelayUnderTest,
} from './relay-under-test.ts';

const times = { blockSeconds: 3600, retentionSeconds: 3600, exportSeconds: 3600 };
let relay: RelayUnderTest;
let worlds = 0;

/** An organisation with a recovery key, at a relay. */
async function organisation() {
  const seed = new Uint8Array(32).fill(0x61 + worlds);
  worlds += 1;
  const primitives = seededWorld({ seed: 'any', members: 1 }).primitives;
  const signer = primitives.signer(seed);
  const policy: Policy = { ...times, recoveryKey: signer.publicKey };
  const world = seededWorld({ seed: `recovery-${worlds}`, members: 2, policy });
  const founder = await settle(relay, world);
  const subject: Subject = { kind: 'recovery', id: toHex(signer.publicKey) };
  const recovery = (after: Policy = times): Uint8Array =>
    createRecovery({
      primitives,
      random: world.random,
      state: world.state,
      seed: Secret.own(seed.slice()),
      device: seededDevice(primitives, world.random, world.clock.now()).own,
      handle: 'dee',
      member: newMemberId(world.random),
      policy: after,
      nowMs: world.clock.now(),
    });
  return { world, founder, login: { subject, signer }, recovery };
}

const outcome = ({ status, body }: Answer) => ({ status, code: body.code });
const refused = { status: 401, code: 'login-refused' };

beforeAll(async () => {
  relay = await relayUnderTest({ clock: seededWorld({ seed: 'clock', members: 2 }).clock });
});
afterAll(() => relay.close());

test('whoever holds the key of the policy logs in; no other key, and not where the policy names none', async () => {
  const { world, login } = await organisation();
  expect((await tryLogin(relay, world.org, login)).status).toBe(200);
  const other = world.primitives.signer(world.random(32));
  expect(outcome(await tryLogin(relay, world.org, { ...login, signer: other }))).toEqual(refused);
  const named: Subject = { kind: 'recovery', id: toHex(other.publicKey) };
  expect(outcome(await tryLogin(relay, world.org, { subject: named, signer: other }))).toEqual(refused);
  // A session under another id would outlive the key.
  expect(outcome(await tryLogin(relay, world.org, { ...login, subject: named }))).toEqual(refused);
  const asDevice: Subject = { ...login.subject, kind: 'device' };
  expect(outcome(await tryLogin(relay, world.org, { ...login, subject: asDevice }))).toEqual(refused);
});

test('reads the log, its checkpoints and tiles, and nothing else', async () => {
  const { world, login } = await organisation();
  const { token } = (await tryLogin(relay, world.org, login)).body;
  const path = `/organisations/${world.org}`;
  expect((await call(relay, 'GET', `${path}/log?from=0`, { token })).status).toBe(200);
  for (const text of ['/log/checkpoint', '/log/tile/0/000.p/1', '/log/tile/entries/000.p/1']) {
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${relay.url}/v1${path}${text}`, { headers })).status).toBe(200);
  }
  const no = { status: 403, code: 'not-a-member' };
  const group = '0'.repeat(64);
  expect(outcome(await call(relay, 'GET', `${path}/groups/${group}/boxes/1`, { token }))).toEqual(no);
  expect(outcome(await call(relay, 'GET', `${path}/sealing-records?after=0`, { token }))).toEqual(no);
  const note = { token, body: { note: 'a note' } };
  expect(outcome(await call(relay, 'POST', `${path}/log/cosignatures`, note))).toEqual(no);
  const record = { token, body: { record: 'AAAA' } };
  expect(outcome(await call(relay, 'POST', `${path}/sealing-records`, record))).toEqual(no);
  const line = await dial(relay);
  line.send({ type: 'hello', token });
  expect((await line.next('refused')).code).toBe('not-a-member');
});

test('hands in a recovery and no other entry; then the key is spent and its sessions are over', async () => {
  const { world, login, recovery } = await organisation();
  const { token } = (await tryLogin(relay, world.org, login)).body;
  const removal = createRemoveMember({
    ...world.as(world.members[0].devices[0]),
    member: world.members[1]!.id,
  });
  expect(outcome(await appendLog(relay, world.org, token, removal))).toEqual({
    status: 403,
    code: 'not-a-member',
  });
  expect((await appendLog(relay, world.org, token, recovery())).status).toBe(201);
  expect((await call(relay, 'GET', `/organisations/${world.org}/log?from=0`, { token })).status).toBe(401);
  expect(outcome(await tryLogin(relay, world.org, login))).toEqual(refused);
});

test('a key that an admin takes out of the policy has no session any more', async () => {
  const { world, founder, login } = await organisation();
  const { token } = (await tryLogin(relay, world.org, login)).body;
  const change = createPolicyChange({ ...world.as(world.members[0].devices[0]), policy: times });
  expect((await appendLog(relay, world.org, founder, change)).status).toBe(201);
  expect((await call(relay, 'GET', `/organisations/${world.org}/log?from=0`, { token })).status).toBe(401);
  expect(outcome(await tryLogin(relay, world.org, login))).toEqual(refused);
});

test('a policy that changes and keeps the key keeps its sessions', async () => {
  const { world, founder, login } = await organisation();
  const { token } = (await tryLogin(relay, world.org, login)).body;
  const policy = { ...world.state.policy, exportSeconds: 7200 };
  const change = createPolicyChange({ ...world.as(world.members[0].devices[0]), policy });
  expect((await appendLog(relay, world.org, founder, change)).status).toBe(201);
  expect((await call(relay, 'GET', `/organisations/${world.org}/log?from=0`, { token })).status).toBe(200);
});
