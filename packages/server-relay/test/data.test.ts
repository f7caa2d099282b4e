import { encodeCbor, toBase64Url, type CborValue } from '@keytide/crypto-core';
import { createInvite, createRemoveMember, createRoleChange } from '@keytide/key-directory';
import { documentsResponse } from '@keytide/relay-protocol';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { greet } from './line.ts';
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

const world = seededWorld({ seed: 'data routes', members: 3 });
const other = seededWorld({ seed: 'another organisation', members: 1 });
const { org, random } = world;
const [admin, member, leaver] = world.members.map(({ devices }) => devices[0]) as [
  SeededDevice,
  SeededDevice,
  SeededDevice,
];
let relay: RelayUnderTest;

beforeAll(async () => {
  relay = await relayUnderTest({ clock: world.clock, limits: { documents: 120 } });
  await settle(relay, world);
  await settle(relay, other);
});
afterAll(() => relay.close());

const cbor = (value: CborValue): string => toBase64Url(encodeCbor(value));

async function put(device: SeededDevice, path: string, body: unknown): Promise<Answer> {
  const token = await tokenOf(relay, org, device);
  return call(relay, 'PUT', `/organisations/${org}/${path}`, { token, body });
}

async function list(device: SeededDevice, path: string, after = 0) {
  const token = await tokenOf(relay, org, device);
  const { status, body } = await call(relay, 'GET', `/organisations/${org}/data/${path}?after=${after}`, {
    token,
  });
  expect(status).toBe(200);
  return documentsResponse.parse(body);
}

const outcome = ({ status, body }: Answer) => ({ status, code: body.code });
const versionOf = ({ status, body }: Answer): unknown => {
  expect(status).toBe(200);
  return (body as unknown as { version: number }).version;
};
const bytes = (value: CborValue): Uint8Array => encodeCbor(value);

test('what one member writes, another reads, until it is removed', async () => {
  expect(versionOf(await put(member, 'data/members/shifts/mon', { body: cbor({ at: 8 }) }))).toBe(1);
  expect(versionOf(await put(admin, 'data/members/shifts/tue', { body: cbor({ at: 9 }) }))).toBe(1);
  expect(versionOf(await put(admin, 'data/members/shifts/mon', { body: cbor({ at: 7 }) }))).toBe(2);
  const page = await list(leaver, 'members/shifts');
  expect(page).toEqual({
    documents: [
      { id: 'tue', version: 1, body: bytes({ at: 9 }) },
      { id: 'mon', version: 2, body: bytes({ at: 7 }) },
    ],
    next: page.next,
    more: false,
  });
  expect(versionOf(await put(member, 'data/members/shifts/tue', { body: null }))).toBe(2);
  const news = await list(leaver, 'members/shifts', page.next);
  expect(news.documents).toEqual([{ id: 'tue', version: 2, body: null }]);
  expect((await list(leaver, 'members/shifts', news.next)).documents).toEqual([]);
  expect((await list(leaver, 'members/other')).documents).toEqual([]);
});

test('a version is replaced only by who has seen it; the same write again answers as before', async () => {
  const write = (ifVersion: number, at: number) =>
    put(member, 'data/members/rota/a', { body: cbor({ at }), ifVersion });
  const conflict = { status: 409, code: 'version-conflict' };
  expect(outcome(await write(1, 1))).toEqual(conflict);
  expect(versionOf(await write(0, 1))).toBe(1);
  expect(versionOf(await write(0, 1))).toBe(1);
  expect(outcome(await write(0, 2))).toEqual(conflict);
  expect(versionOf(await write(1, 2))).toBe(2);
  expect(outcome(await write(0, 1))).toEqual(conflict);
  expect(outcome(await write(0, 2))).toEqual(conflict);
  expect((await list(member, 'members/rota')).documents).toEqual([
    { id: 'a', version: 2, body: bytes({ at: 2 }) },
  ]);
  const remove = { body: null, ifVersion: 2 };
  expect(versionOf(await put(member, 'data/members/rota/a', remove))).toBe(3);
  expect(versionOf(await put(member, 'data/members/rota/a', remove))).toBe(3);
  const racing = [1, 2, 3, 4].map((at) => write(3, at));
  const statuses = (await Promise.all(racing)).map(({ status }) => status);
  expect(statuses.toSorted()).toEqual([200, 409, 409, 409]);
});

test('only admins write where admins write, by the log of the moment; and that is another collection', async () => {
  const path = 'data/admins/settings/main';
  const refused = { status: 403, code: 'not-a-member' };
  expect(outcome(await put(member, path, { body: cbor({ own: true }) }))).toEqual(refused);
  expect(versionOf(await put(admin, path, { body: cbor({ own: false }) }))).toBe(1);
  expect(versionOf(await put(member, 'data/members/settings/main', { body: cbor({ own: true }) }))).toBe(1);
  expect((await list(member, 'admins/settings')).documents).toEqual([
    { id: 'main', version: 1, body: bytes({ own: false }) },
  ]);
  const founder = await tokenOf(relay, org, admin);
  for (const role of ['admin', 'member'] as const) {
    const change = { ...world.as(admin), member: world.members[1]?.id as never, role };
    const wire = createRoleChange(change);
    expect((await appendLog(relay, org, founder, wire)).status).toBe(201);
    world.append(wire);
    const expected = role === 'admin' ? { status: 200, code: undefined } : refused;
    expect(outcome(await put(member, path, { body: cbor({ role }) }))).toEqual(expected);
  }
});

test('nobody else reads or writes: no session, another organisation’s, an invite’s', async () => {
  const wire = createInvite({
    ...world.as(admin),
    random,
    role: 'member',
    expiresMs: world.clock.now() + 60_000,
  });
  const founder = await tokenOf(relay, org, admin);
  expect((await appendLog(relay, org, founder, wire.wire)).status).toBe(201);
  world.append(wire.wire);
  const signer = wire.seed.use((seed) => world.primitives.signer(seed));
  const { body } = await tryLogin(relay, org, { subject: { kind: 'invite', id: wire.id }, signer });
  const theirs = await tokenOf(relay, other.org, other.members[0].devices[0]);
  for (const [token, expected] of [
    [undefined, { status: 401, code: 'session-ended' }],
    [theirs, { status: 401, code: 'session-ended' }],
    [body.token, { status: 403, code: 'not-a-member' }],
  ] as const) {
    const session = token === undefined ? {} : { token };
    const paths = ['data/members/shifts/x', 'data/admins/settings/x', 'system/pushToken'];
    for (const path of paths) {
      const write = { ...session, body: { body: cbor({}) } };
      expect(outcome(await call(relay, 'PUT', `/organisations/${org}/${path}`, write))).toEqual(expected);
    }
    const read = `/organisations/${org}/data/members/shifts?after=0`;
    expect(outcome(await call(relay, 'GET', read, session))).toEqual(expected);
  }
  const elsewhere = `/organisations/${other.org}/data/members/shifts?after=0`;
  const page = await call(relay, 'GET', elsewhere, { token: theirs });
  expect(page.body).toEqual({ documents: [], next: 0, more: false });
});

test('a member who was removed reads nothing any more', async () => {
  const token = await tokenOf(relay, org, leaver);
  const path = `/organisations/${org}/data/members/shifts?after=0`;
  expect((await call(relay, 'GET', path, { token })).status).toBe(200);
  const wire = createRemoveMember({ ...world.as(admin), member: world.members[2]?.id as never });
  expect((await appendLog(relay, org, await tokenOf(relay, org, admin), wire)).status).toBe(201);
  world.append(wire);
  expect((await call(relay, 'GET', path, { token })).status).toBe(401);
});

test('what is no document, no name or no id is refused', async () => {
  const malformed = { status: 400, code: 'malformed' };
  for (const body of [
    {},
    { body: 7 },
    { body: 'AA==' },
    { body: toBase64Url(Uint8Array.of(0xff)) },
    { body: cbor([1]) },
    { body: cbor('text') },
    { body: cbor(new Uint8Array(3)) },
    { body: cbor({}), ifVersion: -1 },
    { body: cbor({}), more: 1 },
  ])
    expect(outcome(await put(admin, 'data/members/shifts/x', body)), JSON.stringify(body)).toEqual(malformed);
  const nowhere = outcome(await put(admin, 'data/all/shifts/x', { body: cbor({}) }));
  expect(nowhere).toEqual({ status: 404, code: 'not-found' });
  for (const path of ['data/members/Shifts/x', 'data/members/shifts/-x', 'system/X'])
    expect(outcome(await put(admin, path, { body: cbor({}) })), path).toEqual(malformed);
  const most = (text: number) => ({ body: cbor({ text: 'x'.repeat(text) }) });
  expect(versionOf(await put(admin, 'data/members/shifts/large', most(65_527)))).toBe(1);
  expect(outcome(await put(admin, 'data/members/shifts/large', most(65_528)))).toEqual(malformed);
});

test('an organisation keeps so many documents, and its readers get them page by page', async () => {
  const token = await tokenOf(relay, org, admin);
  const write = (i: number) =>
    call(relay, 'PUT', `/organisations/${org}/data/members/many/${i}`, {
      token,
      body: { body: cbor({ i }) },
    });
  const answers = await Promise.all(Array.from({ length: 120 }, (_, i) => write(i)));
  const kept = answers.filter(({ status }) => status === 200).length;
  const refused = answers.filter(({ status }) => status !== 200);
  expect(kept).toBeGreaterThan(100);
  expect(refused.length).toBeGreaterThan(0);
  for (const answer of refused) expect(outcome(answer)).toEqual({ status: 409, code: 'quota-exceeded' });
  const first = await list(admin, 'members/many');
  expect([first.documents.length, first.more]).toEqual([100, true]);
  const second = await list(admin, 'members/many', first.next);
  expect([second.documents.length, second.more]).toEqual([kept - 100, false]);
});

test('no route gives a system value back, and every write of data is hinted at', async () => {
  const line = await greet(relay, await tokenOf(relay, org, admin));
  expect((await put(member, 'system/pushToken', { body: cbor({ token: 'secret of bo' }) })).body).toEqual({});
  const token = await tokenOf(relay, org, member);
  for (const path of [
    'system/pushToken',
    'system',
    `system/pushToken/${member.id}`,
    'data/system/pushToken?after=0',
    'data/members/pushToken?after=0',
    'data/admins/pushToken?after=0',
  ]) {
    const { body } = await call(relay, 'GET', `/organisations/${org}/${path}`, { token });
    expect(JSON.stringify(body), path).toMatch(/"not-found"|"malformed"|"documents":\[\]/);
  }
  expect(line.frames.some(({ type }) => type === 'hint')).toBe(false);
  await put(member, 'data/members/shifts/mon', { body: cbor({ at: 6 }) });
  expect(await line.next('hint')).toEqual({ type: 'hint', topic: 'data' });
  line.socket.close();
  await line.ended;
});
