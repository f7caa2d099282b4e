import { decodeUtf8, encodeUtf8, toBase64Url } from '@keytide/crypto-core';
import {
  assembleNote,
  checkpointText,
  cosignature,
  createRevokeDevice,
  createWipe,
  createWipeReceipt,
  parseCheckpointText,
  parseNote,
  type WipeTarget,
} from '@keytide/key-directory';
import { wipeReceiptsResponse } from '@keytide/relay-protocol';
import { seededWorld, type SeededDevice, type SeededMember, type SeededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf } from './group.ts';
import { dial, greet } from './line.ts';
import {
  appendLog,
  asDevice,
  call,
  relayUnderTest,
  settle,
  tokenOf,
  tryLogin,
  type Answer,
  type RelayUnderTest,
} from './relay-under-test.ts';

let relay: RelayUnderTest;
let worlds = 0;

beforeAll(async () => {
  relay = await relayUnderTest({ clock: seededWorld({ seed: 'wipes', members: 1 }).clock });
});
afterAll(() => relay.close());

interface Case {
  readonly world: SeededWorld;
  readonly ada: SeededDevice;
  readonly bo: SeededMember;
  readonly path: string;
  /** Ada's session. */
  readonly token: string;
}

async function organisation(): Promise<Case> {
  worlds += 1;
  const world = seededWorld({ seed: `wipes ${worlds}`, members: 2, devicesPerMember: 2 });
  const token = await settle(relay, world);
  const [ada, bo] = world.members as unknown as [SeededMember, SeededMember];
  return { world, ada: ada.devices[0], bo, path: `/organisations/${world.org}`, token };
}

/** Orders it, and answers the entry. */
async function order(
  { world, ada, token }: Case,
  target: WipeTarget,
): Promise<{ index: number; wire: Uint8Array }> {
  const wire = createWipe({ ...world.as(ada), target });
  expect((await appendLog(relay, world.org, token, wire)).status).toBe(201);
  return { index: world.append(wire).size - 1, wire };
}

const outcome = ({ status, body }: Answer) => ({ status, code: body.code, reason: body.reason ?? null });
const no = { status: 403, code: 'not-a-member', reason: null };

function receiptOf(
  { world }: Case,
  device: SeededDevice,
  { index, wire }: { index: number; wire: Uint8Array },
  signer = device.signer,
): Uint8Array {
  const { primitives, org } = world;
  return createWipeReceipt(primitives, signer, {
    org,
    device: device.id,
    order: index,
    wire,
    destroyedMs: 5,
  });
}

const handIn = (path: string, token: string, receipt: Uint8Array) =>
  call(relay, 'POST', `${path}/wipe-receipts`, { token, body: { receipt: toBase64Url(receipt) } });

test('a wiped device is cut off before the entry is acknowledged, and its session is gone', async () => {
  const it = await organisation();
  const { world, bo, path } = it;
  const token = await tokenOf(relay, world.org, bo.devices[0]);
  const line = await greet(relay, token);
  await order(it, { of: 'device', device: bo.devices[0].id });
  expect(await line.ended).toBe(1008);
  expect(outcome(await call(relay, 'GET', `${path}/log?from=0`, { token }))).toMatchObject({
    code: 'session-ended',
  });
});

test('it logs in again to read the log and to hand in its receipt, and for nothing else', async () => {
  const it = await organisation();
  const { world, ada, bo, path } = it;
  const [phone, other] = bo.devices as [SeededDevice, SeededDevice];
  const wiped = await order(it, { of: 'device', device: phone.id });
  const token = await tokenOf(relay, world.org, phone);
  expect((await call(relay, 'GET', `${path}/log?from=0`, { token })).status).toBe(200);
  const group = world.state.everyone;
  expect(outcome(await call(relay, 'GET', `${path}/groups/${group}/boxes/1`, { token }))).toEqual(no);
  expect(outcome(await call(relay, 'GET', `${path}/sealing-records?after=0`, { token }))).toEqual(no);
  expect(outcome(await call(relay, 'GET', `${path}/wipe-receipts`, { token }))).toEqual(no);
  const record = { token, body: { record: 'AAAA' } };
  expect(outcome(await call(relay, 'POST', `${path}/sealing-records`, record))).toEqual(no);
  // An entry that is somebody else's, and would be taken from anybody who may write.
  const wire = createWipe({ ...world.as(ada), target: { of: 'device', device: other.id } });
  expect(outcome(await appendLog(relay, world.org, token, wire))).toEqual(no);
  const line = await dial(relay);
  line.send({ type: 'hello', token });
  expect(await line.ended).toBe(1008);
  expect((await handIn(path, token, receiptOf(it, phone, wiped))).status).toBe(201);
});

test('it reads the log, with checkpoints, tiles and lookups, up to the order and no further', async () => {
  const it = await organisation();
  const { world, ada, bo, path } = it;
  const [phone, other] = bo.devices as [SeededDevice, SeededDevice];
  await order(it, { of: 'device', device: phone.id });
  const { size } = world.state;
  const rootThen = world.state.root;
  await order(it, { of: 'device', device: other.id });
  const [token, admins] = [await tokenOf(relay, world.org, phone), await tokenOf(relay, world.org, ada)];
  const read = async (place: string, as = token) => {
    const response = await fetch(`${relay.url}/v1${path}${place}`, {
      headers: { authorization: `Bearer ${as}` },
    });
    return { status: response.status, text: await response.text() };
  };
  const logOf = async (from: number, as?: string) => {
    const { entries, size: of } = JSON.parse((await read(`/log?from=${from}`, as)).text) as {
      entries: string[];
      size: number;
    };
    return [entries.length, of];
  };
  expect(await logOf(0, admins)).toEqual([size + 1, size + 1]);
  expect(await logOf(0)).toEqual([size, size]);
  expect(await logOf(size - 1)).toEqual([1, size]);
  expect(await logOf(size)).toEqual([0, size]);
  expect(await logOf(size + 1)).toEqual([0, size]);
  const { text } = await read('/log/checkpoint');
  expect(parseCheckpointText(parseNote(encodeUtf8(text) as Uint8Array).text)).toMatchObject({
    size,
    root: rootThen,
  });
  // The whole directory as of then: the other device was not wiped yet.
  const shown = JSON.parse((await read(`/directory/devices/${other.id}`)).text) as { checkpoint: string };
  expect(shown.checkpoint).toBe(text);
  for (const place of [
    `/log/checkpoint?size=${size + 1}`,
    `/log/tile/entries/000.p/${size + 1}`,
    `/log/tile/0/000.p/${size + 1}`,
    `/directory/organisation?size=${size + 1}`,
  ]) {
    expect((await read(place, admins)).status, place).toBe(200);
    expect((await read(place)).status, place).toBe(404);
    expect((await read(place.replace(`${size + 1}`, `${size}`))).status, place).toBe(200);
  }
  const cosigned = async (as?: string) => [
    (await read('/log/checkpoint/witnessed', as)).status,
    (JSON.parse((await read('/log/cosignatures', as)).text) as { notes: unknown[] }).notes.length,
  ];
  const checkpoint = parseCheckpointText(
    parseNote(encodeUtf8((await read('/log/checkpoint', admins)).text) as Uint8Array).text,
  );
  const line = cosignature(world.primitives, ada.signer, checkpoint, world.clock.now() / 1000);
  const note = decodeUtf8(assembleNote(checkpointText(checkpoint), [line]));
  const given = await call(relay, 'POST', `${path}/log/cosignatures`, { token: admins, body: { note } });
  expect(given.status).toBe(201);
  expect(await cosigned(admins)).toEqual([200, 1]);
  expect(await cosigned()).toEqual([404, 0]);
});

test('a receipt is of this device, of this order, and one', async () => {
  const it = await organisation();
  const { world, bo, path } = it;
  const [phone, other] = bo.devices as [SeededDevice, SeededDevice];
  const first = await order(it, { of: 'device', device: phone.id });
  const second = await order(it, { of: 'device', device: other.id });
  const token = await tokenOf(relay, world.org, phone);
  const refused = async (receipt: Uint8Array) => outcome(await handIn(path, token, receipt));
  const by = (reason: string) => ({ status: 409, code: 'record-refused', reason });
  expect(await refused(receiptOf(it, phone, first, other.signer))).toEqual(by('bad-signature'));
  expect(await refused(receiptOf(it, other, second))).toEqual(by('unknown-device'));
  expect(await refused(receiptOf(it, phone, second))).toEqual(by('bad-proof'));
  expect(await refused(receiptOf(it, phone, { ...first, wire: second.wire }))).toEqual(by('bad-proof'));
  expect(await refused(Uint8Array.of(0x80))).toEqual(by('malformed'));
  const receipt = receiptOf(it, phone, first);
  expect((await handIn(path, token, receipt)).status).toBe(201);
  expect((await handIn(path, token, receipt)).status).toBe(201);
  const later = createWipeReceipt(world.primitives, phone.signer, {
    ...{ org: world.org, device: phone.id, order: first.index, wire: first.wire },
    destroyedMs: 6,
  });
  expect(await refused(later)).toEqual(by('unchanged'));
});

test('whoever is not wiped hands in no receipt; admins read them, members do not', async () => {
  const it = await organisation();
  const { world, bo, path, token } = it;
  const [phone, other] = bo.devices as [SeededDevice, SeededDevice];
  const mine = await tokenOf(relay, world.org, other);
  expect(outcome(await call(relay, 'GET', `${path}/wipe-receipts`, { token: mine }))).toEqual(no);
  const wiped = await order(it, { of: 'device', device: phone.id });
  const receipt = receiptOf(it, phone, wiped);
  expect(outcome(await handIn(path, mine, receipt))).toEqual(no);
  await handIn(path, await tokenOf(relay, world.org, phone), receipt);
  const { body } = await call(relay, 'GET', `${path}/wipe-receipts`, { token });
  expect(wipeReceiptsResponse.parse(body)).toEqual({ receipts: [receipt], next: null });
  expect(relay.events).toContainEqual({ event: 'wipe-receipt', org: world.org.slice(0, 8) });
});

test('everybody but admins is wiped, also a device that was revoked before; the boxes of all are gone', async () => {
  const it = await organisation();
  const { world, ada, bo, path, token } = it;
  const [phone, lost] = bo.devices as [SeededDevice, SeededDevice];
  const line = await greet(relay, token);
  line.send(await announceOf(world, ada, 1));
  expect(await line.next('appended')).toMatchObject({ seqs: [1] });
  const box = `${path}/groups/${world.state.everyone}/boxes/1`;
  const mine = await tokenOf(relay, world.org, phone);
  expect((await call(relay, 'GET', box, { token: mine })).status).toBe(200);
  const revoked = createRevokeDevice({ ...world.as(ada), device: lost.id });
  expect((await appendLog(relay, world.org, token, revoked)).status).toBe(201);
  world.append(revoked);
  expect((await tryLogin(relay, world.org, asDevice(lost))).status).toBe(401);
  const wiped = await order(it, { of: 'everyone-but-admins' });
  for (const device of [phone, lost])
    expect(
      (await handIn(path, await tokenOf(relay, world.org, device), receiptOf(it, device, wiped))).status,
    ).toBe(201);
  expect((await call(relay, 'GET', box, { token })).status).toBe(200);
});
