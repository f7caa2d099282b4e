import { asciiBytes, decodeUtf8, encodeUtf8 } from '@keytide/crypto-core';
import {
  assembleNote,
  checkpointText,
  cosignature,
  createRemoveMember,
  createRoleChange,
  deviceNoteKey,
  originOf,
  parseCheckpointText,
  parseNote,
  witnessesOf,
  type LogCheckpoint,
  type NoteSignature,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  directoryReader,
  fetchBytes,
  type DirectoryReader,
  type ReadCheckpoint,
} from './directory-reader.ts';
import {
  appendLog,
  call,
  relayUnderTest,
  settle,
  tokenOf,
  type Answer,
  type RelayUnderTest,
} from './relay-under-test.ts';

const world = seededWorld({ seed: 'cosignatures', members: 4, admins: 3, devicesPerMember: 2 });
const { org, clock, primitives } = world;
const [first, second, third, fourth] = world.members.map(({ devices }) => devices[0]) as [
  SeededDevice,
  SeededDevice,
  SeededDevice,
  SeededDevice,
];
let relay: RelayUnderTest;
let token: string;
let reader: DirectoryReader;
let newest: ReadCheckpoint;

beforeAll(async () => {
  relay = await relayUnderTest({ clock });
  token = await settle(relay, world);
  reader = await directoryReader(relay, org, token);
});
afterAll(() => relay.close());

/** Another role for the last member, so that each test has a checkpoint of its own. */
async function grow(): Promise<void> {
  const { id } = world.members[3]!;
  const role = world.state.members.get(id)?.role === 'member' ? 'exporter' : 'member';
  const wire = createRoleChange({ ...world.as(first), member: id, role });
  expect((await appendLog(relay, org, token, wire)).status).toBe(201);
  world.append(wire);
}

beforeEach(async () => {
  await grow();
  newest = await reader.checkpoint();
});

const nowSeconds = (): number => clock.now() / 1000;

function lineOf(
  device: SeededDevice,
  over: LogCheckpoint = newest,
  timeSeconds = nowSeconds(),
): NoteSignature {
  return cosignature(primitives, device.signer, over, timeSeconds);
}

function noteOf(lines: readonly NoteSignature[], over: LogCheckpoint = newest): Uint8Array {
  return assembleNote(checkpointText(over), lines);
}

function post(note: Uint8Array | string, as = token): Promise<Answer> {
  const text = typeof note === 'string' ? note : decodeUtf8(note);
  return call(relay, 'POST', `/organisations/${org}/log/cosignatures`, { token: as, body: { note: text } });
}

const outcome = ({ status, body }: Answer) => ({ status, code: body.code, reason: body.reason });
const refusedFor = (reason: string) => ({ status: 422, code: 'entry-refused', reason });

function witnessed({ note }: ReadCheckpoint) {
  const keys = world.members.map(({ devices }) => deviceNoteKey(primitives, devices[0].signer.publicKey));
  const { cosigned } = witnessesOf(
    primitives,
    note,
    { keys, threshold: 1, maxAgeSeconds: 3_600 },
    nowSeconds(),
  );
  return cosigned.map(({ key, timeSeconds }) => [
    world.members.findIndex(({ devices }) => devices[0].signer.publicKey.join() === key.publicKey.join()),
    timeSeconds - nowSeconds(),
  ]);
}

test('admins cosign the newest checkpoint, each for their own device', async () => {
  expect(await post(noteOf([lineOf(first)]))).toEqual({ status: 201, body: { size: newest.size } });
  const secondToken = await tokenOf(relay, org, second);
  const both = [...newest.note.signatures, lineOf(second, newest, nowSeconds() + 1)];
  expect((await post(noteOf(both), secondToken)).status).toBe(201);
  const read = await reader.checkpoint('/witnessed');
  expect(read.note.text).toBe(newest.note.text);
  expect(witnessed(read)).toEqual([
    [1, 1],
    [0, 0],
  ]);
  expect((await reader.checkpoint()).bytes).toEqual(read.bytes);
});

test('the witnessed checkpoint stays while the log grows, and an older one may still be cosigned', async () => {
  await post(noteOf([lineOf(first)]));
  await grow();
  const later = await reader.checkpoint();
  expect(later.size).toBe(newest.size + 1);
  expect(witnessed(later)).toEqual([]);
  expect((await reader.checkpoint('/witnessed')).size).toBe(newest.size);
  expect((await post(noteOf([lineOf(second)]), await tokenOf(relay, org, second))).status).toBe(201);
  expect(witnessed(await reader.checkpoint('/witnessed'))).toHaveLength(2);
  await post(noteOf([lineOf(first, later)], later));
  expect((await reader.checkpoint('/witnessed')).size).toBe(later.size);
});

test('what a device cosigned last stays, however far the log grows and others cosign', async () => {
  const asSecond = await tokenOf(relay, org, second);
  expect((await post(noteOf([lineOf(second)]), asSecond)).status).toBe(201);
  const slept = newest.size;
  for (let grown = 0; grown < 66; grown += 1) {
    await grow();
    newest = await reader.checkpoint();
    expect((await post(noteOf([lineOf(first)]))).status).toBe(201);
  }
  const { body } = await call(relay, 'GET', `/organisations/${org}/log/cosignatures`, { token });
  const { notes: texts } = body as unknown as { notes: string[] };
  const notes = texts.map((text) => parseNote(encodeUtf8(text) as Uint8Array));
  const sizes = notes.map(({ text }) => parseCheckpointText(text).size);
  expect(sizes[0]).toBe(newest.size);
  expect(sizes).toContain(slept);
  expect(sizes.length).toBeLessThanOrEqual(64);
  const linesAt = async (size: number): Promise<number> => {
    const at = `/organisations/${org}/log/checkpoint?size=${size}`;
    return parseNote((await fetchBytes(relay, at, token)).bytes).signatures.length;
  };
  // Of the first device only the 64 newest.
  expect(await linesAt(newest.size - 63)).toBe(2);
  expect(await linesAt(newest.size - 64)).toBe(1);
});

test('the same again changes nothing, a newer one counts, an older one does not come back', async () => {
  const older = noteOf([lineOf(first, newest, nowSeconds() - 5)]);
  for (const note of [older, older]) expect((await post(note)).status).toBe(201);
  expect(witnessed(await reader.checkpoint())).toEqual([[0, -5]]);
  expect((await post(noteOf([lineOf(first)]))).status).toBe(201);
  expect((await post(older)).status).toBe(201);
  expect(witnessed(await reader.checkpoint())).toEqual([[0, 0]]);
  expect((await reader.checkpoint()).note.signatures).toHaveLength(2);
});

test("another device's cosignature is refused, also of the same member", async () => {
  for (const device of [second, world.members[0].devices[1] as SeededDevice])
    expect(outcome(await post(noteOf([lineOf(device)])))).toEqual(refusedFor('wrong-device'));
  expect(outcome(await post(noteOf([lineOf(first), lineOf(second)])))).toMatchObject({ code: 'malformed' });
  expect(witnessed(await reader.checkpoint())).toEqual([]);
});

test('who is no admin does not cosign, and neither does who is one no more', async () => {
  const member = await tokenOf(relay, org, fourth);
  const notAllowed = { status: 403, code: 'not-a-member', reason: undefined };
  expect(outcome(await post(noteOf([lineOf(fourth)]), member))).toEqual(notAllowed);
  const demoted = await tokenOf(relay, org, third);
  const member2 = world.members[2]!.id;
  const wire = createRoleChange({ ...world.as(first), member: member2, role: 'member' });
  await appendLog(relay, org, token, wire);
  world.append(wire);
  expect(outcome(await post(noteOf([lineOf(third)]), demoted))).toEqual(notAllowed);
  const removal = createRemoveMember({ ...world.as(first), member: member2 });
  await appendLog(relay, org, token, removal);
  world.append(removal);
  expect(outcome(await post(noteOf([lineOf(third)]), demoted))).toMatchObject({ code: 'session-ended' });
});

test('what the relay has not signed is not cosigned', async () => {
  const strangers: LogCheckpoint[] = [
    { ...newest, root: new Uint8Array(32).fill(1) },
    { ...newest, mapRoot: new Uint8Array(32).fill(1) },
    { ...newest, mapRoot: null },
    { ...newest, size: newest.size + 1 },
    { ...newest, size: newest.size - 1 },
    { ...newest, size: 0 },
    { ...newest, origin: originOf(seededWorld({ seed: 'cosignatures elsewhere', members: 1 }).org) },
  ];
  for (const over of strangers)
    expect(outcome(await post(noteOf([lineOf(first, over)], over)))).toEqual(
      refusedFor('unknown-checkpoint'),
    );
  expect(witnessed(await reader.checkpoint())).toEqual([]);
});

test('a cosignature that does not hold is refused', async () => {
  const line = lineOf(first);
  const altered = line.signature.map((byte, i) => (i === 40 ? byte ^ 1 : byte));
  const later = line.signature.map((byte, i) => (i === 7 ? byte ^ 1 : byte));
  const bad = [
    { ...line, signature: altered },
    { ...line, signature: later },
    { ...line, signature: line.signature.slice(1) },
    { ...line, keyId: line.keyId ^ 1 },
    { ...lineOf(second), name: line.name, keyId: line.keyId },
  ];
  for (const one of bad) expect(outcome(await post(noteOf([one])))).toEqual(refusedFor('bad-signature'));
});

test('a cosignature from the future is refused', async () => {
  const ahead = (seconds: number) => noteOf([lineOf(first, newest, nowSeconds() + seconds)]);
  expect(outcome(await post(ahead(3_601)))).toEqual(refusedFor('time-ahead'));
  expect((await post(ahead(3_600))).status).toBe(201);
});

test('what is no cosigned checkpoint is malformed', async () => {
  const good = decodeUtf8(noteOf([lineOf(first)])) as string;
  const malformed = { status: 400, code: 'malformed', reason: undefined };
  const [ownLine] = newest.note.signatures as [NoteSignature];
  for (const note of [
    '',
    'x',
    good.slice(0, -1),
    `${good}\n`,
    good.replace('\n', '\n\n'),
    good.replace('keytide-log', '\ud800'),
    decodeUtf8(newest.bytes) as string,
    decodeUtf8(noteOf([{ ...ownLine, signature: new Uint8Array(64) }, lineOf(first)])) as string,
    decodeUtf8(assembleNote('not a checkpoint\n', [lineOf(first)])) as string,
    'x'.repeat(16_385),
    'ü'.repeat(10_000),
  ])
    expect(outcome(await post(note))).toEqual(malformed);
  expect(outcome(await post('x'.repeat(100_000)))).toMatchObject({ status: 413, code: 'too-large' });
  const at = `/organisations/${org}/log/cosignatures`;
  for (const body of [{}, { note: 1 }, { note: good, more: 1 }, { note: [good] }])
    expect(outcome(await call(relay, 'POST', at, { token, body }))).toEqual(malformed);
  expect(asciiBytes(checkpointText(newest)).length).toBeLessThan(16_384);
});
