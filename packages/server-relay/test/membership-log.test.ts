import { toBase64Url, type Signer } from '@keytide/crypto-core';
import {
  acceptInvite,
  createInvite,
  createRemoveMember,
  createRevokeInvite,
  createRoleChange,
  type CreatedInvite,
} from '@keytide/key-directory';
import { seededDevice, seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dial, greet } from './line.ts';
import {
  appendLog,
  call,
  relayUnderTest,
  settle,
  tokenOf,
  tryLogin,
  type Answer,
  type RelayUnderTest,
} from './relay-under-test.ts';

const world = seededWorld({ seed: 'membership log', members: 2 });
const { org, clock, primitives, random } = world;
const founder = world.members[0].devices[0];
const member = world.members[1]?.devices[0] as SeededDevice;
let relay: RelayUnderTest;
let founderToken: string;

beforeAll(async () => {
  relay = await relayUnderTest({ clock });
  founderToken = await settle(relay, world);
});
afterAll(() => relay.close());

const outcome = ({ status, body }: Answer) => ({ status, code: body.code, reason: body.reason });
const notAMember = { status: 403, code: 'not-a-member', reason: undefined };

async function invite(): Promise<CreatedInvite & { signer: Signer }> {
  const created = createInvite({
    ...world.as(founder),
    random,
    role: 'member',
    expiresMs: clock.now() + 1_000,
  });
  expect((await appendLog(relay, org, founderToken, created.wire)).status).toBe(201);
  world.append(created.wire);
  return { ...created, signer: created.seed.use((seed) => primitives.signer(seed)) };
}

function join(created: CreatedInvite, device: SeededDevice): Uint8Array {
  const { seed } = created;
  return acceptInvite({
    primitives,
    random,
    state: world.state,
    seed,
    device: device.own,
    handle: 'joiner',
    nowMs: clock.now(),
  });
}

async function inviteToken({ id, signer }: { id: string; signer: Signer }): Promise<string> {
  const { status, body } = await tryLogin(relay, org, { subject: { kind: 'invite', id }, signer });
  expect(status).toBe(200);
  return body.token as string;
}

test('an organisation is made once; the same genesis again changes nothing', async () => {
  const other = seededWorld({ seed: 'another', members: 1 });
  const body = { entry: toBase64Url(other.wires[0] as Uint8Array) };
  const made = { status: 201, body: { org: other.org } };
  const said = () => relay.events.filter(({ event }) => event === 'organisation-created').length;
  const before = said();
  expect(await call(relay, 'POST', '/organisations', { body })).toEqual(made);
  expect(await call(relay, 'POST', '/organisations', { body })).toEqual(made);
  // Nobody is told of one that was there.
  expect(said() - before).toBe(1);
});

test('what is not a genesis makes no organisation', async () => {
  const genesis = world.wires[0] as Uint8Array;
  const altered = new Uint8Array(genesis);
  altered[altered.length - 1] = (altered.at(-1) as number) ^ 1;
  for (const [entry, status, code] of [
    [altered, 422, 'entry-refused'],
    [world.wires[1] as Uint8Array, 422, 'entry-refused'],
    [random(100), 400, 'malformed'],
    [new Uint8Array(0), 400, 'malformed'],
  ] as const) {
    const answer = await call(relay, 'POST', '/organisations', { body: { entry: toBase64Url(entry) } });
    expect(outcome(answer)).toMatchObject({ status, code });
  }
});

test('an entry that does not continue the head is refused with the size', async () => {
  const stale = createRoleChange({ ...world.as(founder), member: world.members[1]!.id, role: 'exporter' });
  await invite();
  const answer = await appendLog(relay, org, founderToken, stale);
  expect(answer).toMatchObject({ status: 409, body: { code: 'head-moved', size: world.state.size } });
});

test('the same entry again changes nothing', async () => {
  const size = world.state.size;
  const last = world.wires.at(-1) as Uint8Array;
  expect(await appendLog(relay, org, founderToken, last)).toEqual({ status: 201, body: { index: size - 1 } });
  const page = await call(relay, 'GET', `/organisations/${org}/log?from=${size - 1}`, {
    token: founderToken,
  });
  expect(page.body).toEqual({ entries: [toBase64Url(last)], size });
});

test('what the rules refuse is refused with the rule', async () => {
  const memberToken = await tokenOf(relay, org, member);
  const wire = createRoleChange({ ...world.as(founder), member: world.members[1]!.id, role: 'exporter' });
  const altered = new Uint8Array(wire);
  altered[altered.length - 1] = (altered.at(-1) as number) ^ 1;
  const refused = { status: 422, code: 'entry-refused', reason: 'bad-signature' };
  expect(outcome(await appendLog(relay, org, memberToken, altered))).toEqual(refused);
  const nowMs = clock.now() + 7_200_000;
  const early = createRoleChange({
    ...world.as(founder),
    nowMs,
    member: world.members[1]!.id,
    role: 'exporter',
  });
  expect(outcome(await appendLog(relay, org, founderToken, early))).toEqual({
    ...refused,
    reason: 'time-ahead',
  });
  expect(outcome(await appendLog(relay, org, founderToken, wire))).toMatchObject({ status: 201 });
  world.append(wire);
});

test('one of many rivals wins the head', async () => {
  const rivals = Array.from({ length: 6 }, () =>
    createInvite({ ...world.as(founder), random, role: 'member', expiresMs: clock.now() + 1 }),
  );
  const answers = await Promise.all(rivals.map(({ wire }) => appendLog(relay, org, founderToken, wire)));
  const winner = answers.findIndex(({ status }) => status === 201);
  expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409, 409, 409]);
  world.append(rivals[winner]!.wire);
});

test('a connected device hears that the log has grown', async () => {
  const line = await greet(relay, founderToken);
  const created = await invite();
  expect(await line.next('directory')).toEqual({ type: 'directory', size: world.state.size });
  expect(created.id).toBeTypeOf('string');
  line.socket.close();
});

test('an invite session reads the log and joins, and can do nothing else', async () => {
  const created = await invite();
  const other = await invite();
  const token = await inviteToken(created);
  expect((await call(relay, 'GET', `/organisations/${org}/log?from=0`, { token })).status).toBe(200);

  const foreign = createInvite({ ...world.as(founder), random, role: 'admin', expiresMs: clock.now() + 9 });
  expect(outcome(await appendLog(relay, org, token, foreign.wire))).toEqual(notAMember);
  const joiner = seededDevice(primitives, random, clock.now());
  expect(outcome(await appendLog(relay, org, token, join(other, joiner)))).toEqual(notAMember);
  const box = await call(relay, 'GET', `/organisations/${org}/groups/${world.state.everyone}/boxes/1`, {
    token,
  });
  expect(outcome(box)).toEqual(notAMember);
  const line = await dial(relay);
  line.send({ type: 'hello', token });
  expect(await line.next('refused')).toMatchObject({ requestId: null, code: 'not-a-member' });
  expect(await line.ended).toBe(1008);

  const wire = join(created, joiner);
  expect((await appendLog(relay, org, token, wire)).status).toBe(201);
  world.append(wire);
  // Lost answers can be asked for again; apart from that a used invite is over.
  expect((await appendLog(relay, org, token, wire)).status).toBe(201);
  expect(outcome(await call(relay, 'GET', `/organisations/${org}/log?from=0`, { token }))).toEqual(
    notAMember,
  );
  const again = await tryLogin(relay, org, {
    subject: { kind: 'invite', id: created.id },
    signer: created.signer,
  });
  expect(outcome(again)).toMatchObject({ status: 401, code: 'login-refused' });
  await greet(relay, await tokenOf(relay, org, joiner)).then(({ socket }) => socket.close());
});

test('an expired or revoked invite opens no session and ends the one it has', async () => {
  const expired = await invite();
  const token = await inviteToken(expired);
  const backdated = join(expired, seededDevice(primitives, random, clock.now()));
  clock.advance(1_001);
  // By its own date the rules would let this join in.
  expect(outcome(await appendLog(relay, org, token, backdated))).toEqual(notAMember);
  const subject = { kind: 'invite', id: expired.id } as const;
  const login = await tryLogin(relay, org, { subject, signer: expired.signer });
  expect(outcome(login)).toMatchObject({ status: 401, code: 'login-refused' });
  expect(outcome(await call(relay, 'GET', `/organisations/${org}/log?from=0`, { token }))).toEqual(
    notAMember,
  );

  const revoked = await invite();
  const second = await inviteToken(revoked);
  const wire = createRevokeInvite({ ...world.as(founder), invite: revoked.id });
  await appendLog(relay, org, founderToken, wire);
  world.append(wire);
  const answer = await call(relay, 'GET', `/organisations/${org}/log?from=0`, { token: second });
  expect(outcome(answer)).toEqual(notAMember);
});

test('a removed member is cut off', async () => {
  const token = await tokenOf(relay, org, member);
  const line = await greet(relay, token);
  const wire = createRemoveMember({ ...world.as(founder), member: world.members[1]!.id });
  expect((await appendLog(relay, org, founderToken, wire)).status).toBe(201);
  world.append(wire);
  expect(await line.ended).toBe(1008);
  const answer = await call(relay, 'GET', `/organisations/${org}/log?from=0`, { token });
  expect(outcome(answer)).toMatchObject({ status: 401, code: 'session-ended' });
});

test('bad requests get a code and a status, and nothing else', async () => {
  const log = `/organisations/${org}/log`;
  const token = founderToken;
  const entry = 'A'.repeat(87_384);
  for (const [answer, status, code] of [
    [await call(relay, 'POST', log, { token, body: '{' }), 400, 'malformed'],
    [await call(relay, 'POST', log, { token, body: { entry: 'a+b' } }), 400, 'malformed'],
    [await call(relay, 'POST', log, { token, body: { entry: 'QQ', more: 1 } }), 400, 'malformed'],
    [await call(relay, 'POST', log, { token, body: { entry } }), 400, 'malformed'],
    [await call(relay, 'POST', log, { token, body: { entry: entry + entry } }), 413, 'too-large'],
    [await call(relay, 'GET', `${log}?from=-1`, { token }), 400, 'malformed'],
    [await call(relay, 'GET', `${log}?from=1e3`, { token }), 400, 'malformed'],
    [await call(relay, 'GET', `/organisations/ABC/log?from=0`, { token }), 400, 'malformed'],
    [await call(relay, 'GET', `/organisations/${org}/groups/x/boxes/1`, { token }), 400, 'malformed'],
    [await call(relay, 'GET', '/nothing', { token }), 404, 'not-found'],
    [await call(relay, 'POST', '/health', { body: {} }), 404, 'not-found'],
  ] as const) {
    expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code });
    expect(Object.keys(answer.body).toSorted()).toEqual(['code', 'message']);
  }
});
