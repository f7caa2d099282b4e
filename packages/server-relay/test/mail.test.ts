import { toBase64Url } from '@keytide/crypto-core';
import { createRevokeDevice } from '@keytide/key-directory';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { greet } from './line.ts';
import { appendLog, call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const world = seededWorld({ seed: 'mail', members: 4, devicesPerMember: 3 });
const [first, second, third, fourth] = world.members.map(({ devices }) => devices[0]) as [
  SeededDevice,
  SeededDevice,
  SeededDevice,
  SeededDevice,
];
const limits = { mailboxMessages: 4, mailboxOfMember: 3, mailBurst: 5, mailPerSecond: 1 };
const MAIL = `/organisations/${world.org}/mail`;
let relay: RelayUnderTest;
const tokens = new Map<SeededDevice, string>();

beforeAll(async () => {
  relay = await relayUnderTest({ clock: world.clock, limits });
  await settle(relay, world);
  for (const device of [first, second, third, fourth])
    tokens.set(device, await tokenOf(relay, world.org, device));
});
afterAll(() => relay.close());

interface Page {
  readonly messages: { seq: number; sender: string; message: string }[];
}

const as = (device: SeededDevice) => ({ token: tokens.get(device) as string });
const letter = (recipient: SeededDevice, message = world.random(200), id = world.random(16)) => ({
  recipient: recipient.id,
  id: toBase64Url(id),
  message: toBase64Url(message),
});
const post = async (from: SeededDevice, body: unknown) => {
  const { status, body: answer } = await call(relay, 'POST', MAIL, { ...as(from), body });
  return status === 201 ? 'kept' : answer.code;
};
const mailOf = async (device: SeededDevice) =>
  ((await call(relay, 'GET', `${MAIL}?after=0`, as(device))).body as unknown as Page).messages;
const confirm = (device: SeededDevice, seqs: number[]) =>
  call(relay, 'POST', `${MAIL}/confirm`, { ...as(device), body: { seqs } });

test('a message goes to its recipient with a hint, its sender named by the session, until it is confirmed', async () => {
  const line = await greet(relay, as(second).token);
  const body = letter(second);
  expect(await post(first, body)).toBe('kept');
  expect(await line.next('hint')).toEqual({ type: 'hint', topic: 'mail' });
  const [message] = (await mailOf(second)) as [Page['messages'][0]];
  expect(message).toEqual({ seq: 1, sender: first.id, message: body.message });
  expect(await mailOf(first)).toEqual([]);
  expect(await mailOf(third)).toEqual([]);
  await confirm(third, [1]);
  expect(await mailOf(second)).toHaveLength(1);
  await confirm(second, [1]);
  expect(await mailOf(second)).toEqual([]);
  line.socket.close();
});

test('the same message again is kept once, and its id for another is refused', async () => {
  const body = letter(second);
  expect(await post(first, body)).toBe('kept');
  expect(await post(first, body)).toBe('kept');
  expect(await post(first, { ...letter(second), id: body.id })).toBe('message-id-reused');
  const messages = await mailOf(second);
  expect(messages).toHaveLength(1);
  await confirm(
    second,
    messages.map(({ seq }) => seq),
  );
});

test('who is no other active device gets no mail, and nobody sends in the name of another', async () => {
  expect(await post(first, letter(first))).toBe('not-a-recipient');
  expect(await post(first, { ...letter(second), recipient: 'ab'.repeat(32) })).toBe('not-a-recipient');
  expect(await post(first, { ...letter(second), sender: third.id })).toBe('malformed');
  expect(await post(first, { ...letter(second), message: toBase64Url(new Uint8Array(65_537)) })).toBe(
    'malformed',
  );
});

test('a mailbox takes so many, a sender adds so many, and sends so many a second', async () => {
  world.clock.advance(60_000);
  const sent = [];
  for (let i = 0; i < 6; i += 1) sent.push(await post(third, letter(fourth)));
  expect(sent).toEqual(['kept', 'kept', 'kept', 'quota-exceeded', 'quota-exceeded', 'rate-limited']);
  expect([await post(second, letter(fourth)), await post(second, letter(fourth))]).toEqual([
    'kept',
    'quota-exceeded',
  ]);
});

test('one member never fills the mailbox of another, with however many devices', async () => {
  world.clock.advance(60_000);
  const [, , many] = world.members.map(({ devices }) => devices);
  const target = world.members[0].devices[1] as SeededDevice;
  const sent = [];
  for (const device of many as readonly SeededDevice[]) {
    tokens.set(device, await tokenOf(relay, world.org, device));
    for (let i = 0; i < 2; i += 1) sent.push(await post(device, letter(target)));
  }
  expect(sent).toEqual([
    ...Array.from({ length: 3 }, () => 'kept'),
    ...Array.from({ length: 3 }, () => 'quota-exceeded'),
  ]);
  const refused = await call(relay, 'POST', MAIL, { ...as(third), body: letter(target) });
  expect(refused.body).toMatchObject({ code: 'quota-exceeded', reason: 'share-full' });
  // What was refused has changed nothing, and others still write.
  expect(await post(second, letter(target))).toBe('kept');
  tokens.set(target, await tokenOf(relay, world.org, target));
  const waiting = await mailOf(target);
  expect(waiting.map(({ sender }) => sender === second.id)).toEqual([false, false, false, true]);
  const more = await call(relay, 'POST', MAIL, { ...as(fourth), body: letter(target) });
  expect(more.body).toMatchObject({ code: 'quota-exceeded', reason: 'mailbox-full' });
  await confirm(target, [(waiting[0] as { seq: number }).seq]);
  expect(await post(third, letter(target))).toBe('kept');
});

test('the devices of a member together send twice as many a second as one, and no more', async () => {
  world.clock.advance(60_000);
  const [, , , senders] = world.members.map(({ devices }) => devices);
  const outcomes = [];
  for (const device of senders as readonly SeededDevice[]) {
    tokens.set(device, await tokenOf(relay, world.org, device));
    const target = letter(world.members[1]?.devices[2] as SeededDevice);
    for (let i = 0; i < 5; i += 1) outcomes.push(await post(device, target));
  }
  const times = (count: number, outcome: string) => Array.from({ length: count }, () => outcome);
  expect(outcomes).toEqual([...times(10, 'kept'), ...times(5, 'rate-limited')]);
  expect(await post(second, letter(first))).toBe('kept');
  world.clock.advance(1_000);
  expect(await post(fourth, letter(first))).toBe('kept');
});

test('mail is over after the retention window', async () => {
  expect(await mailOf(fourth)).toHaveLength(4);
  world.clock.advance(world.state.policy.retentionSeconds * 1000);
  for (const device of [first, second, third, fourth])
    tokens.set(device, await tokenOf(relay, world.org, device));
  expect(await mailOf(fourth)).toEqual([]);
});

test('a revoked device neither sends nor gets mail, and an invite neither', async () => {
  const wire = createRevokeDevice({ ...world.as(first), device: third.id });
  expect((await appendLog(relay, world.org, as(first).token, wire)).status).toBe(201);
  expect(await post(first, letter(third))).toBe('not-a-recipient');
  expect(await post(third, letter(first))).toBe('session-ended');
});
