import { fromBase64Url, orgId, toBase64Url } from '@keytide/crypto-core';
import {
  createExportStatement,
  verifyDeletionStatement,
  verifyExportStatement,
} from '@keytide/key-directory';
import { seededWorld, type SeededDevice, type SeededMember } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, appendOf } from './group.ts';
import { greet, type Line } from './line.ts';
import {
  call,
  relayUnderTest,
  settle,
  tokenOf,
  type Answer,
  type RelayUnderTest,
} from './relay-under-test.ts';

const DAY_MS = 86_400_000;
const world = seededWorld({ seed: 'release', members: 2 });
const [adas, bos] = world.members as unknown as [SeededMember, SeededMember];
const [ada, bo] = [adas.devices[0], bos.devices[0]];
const { primitives, org, clock } = world;
const group = world.state.everyone;
const path = `/organisations/${org}`;
let relay: RelayUnderTest;

beforeAll(async () => {
  relay = await relayUnderTest({ clock });
  await settle(relay, world);
  for (let day = 0; day < 2; day += 1) {
    const line = await greet(relay, await tokenOf(relay, org, ada));
    if (day === 0) {
      line.send(await announceOf(world, ada, 1));
      await line.next('appended');
    }
    line.send(appendOf(world, 2, 3));
    await line.next('appended');
    line.socket.close();
    clock.advance(DAY_MS);
  }
});
afterAll(() => relay.close());

const outcome = ({ status, body }: Answer) => ({ status, code: body.code, reason: body.reason ?? null });
const forgotten = () => relay.events.filter(({ event }) => event === 'forgotten');

function statementOf(
  device: SeededDevice,
  throughSeq: number,
  change: object = {},
  signer = device.signer,
): string {
  const root = new Uint8Array(32).fill(7);
  const said = { org, group, throughSeq, root, device: device.id, exportedMs: clock.now(), ...change };
  return toBase64Url(createExportStatement(primitives, signer, said));
}

async function says(device: SeededDevice, statement: string): Promise<Answer> {
  const token = await tokenOf(relay, org, device);
  return await call(relay, 'POST', `${path}/exports`, { token, body: { statement } });
}

async function due() {
  const answer = await call(relay, 'GET', `${path}/retention`, { token: await tokenOf(relay, org, ada) });
  return answer.body as unknown as {
    waived: boolean;
    due: { lastSeq: number; dueAtMs: number; isExported: boolean }[];
    deleted: string[];
    exported: string[];
  };
}

test('admins are told ahead of what is due, and nobody else', async () => {
  expect(await due()).toEqual({
    ...{ waived: false, due: [], deleted: [], exported: [] },
    attachmentsHeld: { count: 0, sizeBytes: 0 },
  });
  clock.advance(22.5 * DAY_MS);
  const { due: days } = await due();
  // The first day, in the week before it is due.
  expect(days).toMatchObject([{ lastSeq: 4, isExported: false }]);
  expect(days[0]?.dueAtMs).toBe(Date.UTC(2030, 0, 32));
  const token = await tokenOf(relay, org, bo);
  expect(outcome(await call(relay, 'GET', `${path}/retention`, { token }))).toMatchObject({
    code: 'not-a-member',
  });
});

test('who may export hears of each day once when it comes due, and nobody else', async () => {
  const [hers, his] = [
    await greet(relay, await tokenOf(relay, org, ada)),
    await greet(relay, await tokenOf(relay, org, bo)),
  ];
  const hints = (line: Line) => line.frames.filter(({ type }) => type === 'hint');
  const round = async (): Promise<unknown[]> => {
    await relay.forget();
    for (const line of [hers, his]) {
      line.send({ type: 'ping', nonce: 1 });
      await line.next('pong');
    }
    return [hints(hers).length, hints(his).length];
  };
  expect(await round()).toEqual([1, 0]);
  expect(hints(hers)).toEqual([{ type: 'hint', topic: 'retention' }]);
  expect(await round()).toEqual([1, 0]);
  for (const line of [hers, his]) line.socket.close();
});

test('what nobody says to have exported stays, whatever others say', async () => {
  clock.advance(40 * DAY_MS);
  const hers = await greet(relay, await tokenOf(relay, org, ada));
  expect(outcome(await says(bo, statementOf(bo, 4)))).toMatchObject({ code: 'not-a-member' });
  for (const [statement, reason] of [
    [statementOf(ada, 4, {}, bo.signer), 'bad-signature'],
    [statementOf(bo, 4), 'not-permitted'],
    [statementOf(ada, 4, { group: 'ab'.repeat(32) }), 'unknown-group'],
    [statementOf(ada, 4, { org: 'ab'.repeat(32) }), 'wrong-organisation'],
    [statementOf(ada, 8), 'wrong-stretch'],
    [toBase64Url(new Uint8Array(9)), 'malformed'],
  ] as const)
    expect(outcome(await says(ada, statement))).toEqual({ status: 409, code: 'record-refused', reason });
  expect(await relay.forget()).toBe(true);
  expect(forgotten()).toEqual([]);
  // The second day.
  expect(await hers.next('hint')).toEqual({ type: 'hint', topic: 'retention' });
  hers.socket.close();
});

test('what an admin has exported goes at its time, as far as it was exported', async () => {
  expect((await says(ada, statementOf(ada, 4))).status).toBe(201);
  expect((await due()).due.map(({ isExported }) => isExported)).toEqual([true, false]);
  await relay.forget();
  expect(forgotten()).toMatchObject([{ firstSeq: 1, lastSeq: 4 }]);
  expect((await says(ada, statementOf(ada, 7))).status).toBe(201);
  await relay.forget();
  expect(forgotten()).toMatchObject([{ lastSeq: 4 }, { firstSeq: 5, lastSeq: 7 }]);
  // Also the word by which the first part went, which the second one has taken the place of.
  const exported = (await due()).exported.map((text) => fromBase64Url(text) as Uint8Array);
  const said = exported.map((wire) => verifyExportStatement(primitives, world.state, wire).throughSeq);
  expect(said.toSorted()).toEqual([4, 7]);
});

test('what was forgotten is signed with the key of the relay, and of nobody else', async () => {
  const health = (await (await fetch(`${relay.url}/v1/health`)).json()) as { key: string };
  const relayKey = fromBase64Url(health.key) as Uint8Array;
  const wires = (await due()).deleted.map((text) => fromBase64Url(text) as Uint8Array);
  const read = (wire: Uint8Array, whose = { org, relayKey }) =>
    verifyDeletionStatement(primitives, whose, wire);
  expect(wires.map((wire) => read(wire))).toMatchObject([
    { group, firstSeq: 5, lastSeq: 7 },
    { group, firstSeq: 1, lastSeq: 4 },
  ]);
  const [wire] = wires as [Uint8Array];
  const other = { org: orgId('ab'.repeat(32)), relayKey };
  expect(() => read(wire, other)).toThrow(expect.objectContaining({ code: 'wrong-organisation' }));
  const stranger = { org, relayKey: ada.signer.publicKey };
  expect(() => read(wire, stranger)).toThrow(expect.objectContaining({ code: 'bad-signature' }));
});
