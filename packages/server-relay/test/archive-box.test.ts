import { archiveRecipient, fromBase64Url, openEpochBox, parseEpochStatement } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { createPolicyChange, createRoleChange, createWipe, type Policy } from '@keytide/key-directory';
import { seededWorld, type SeededMember } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf } from './group.ts';
import { greet, type Line } from './line.ts';
import { appendLog, call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

const archiveKey = primitives.decapsulator(new Uint8Array(32).fill(6));
const archive = archiveRecipient(primitives, archiveKey.publicKey);
const another = primitives.decapsulator(new Uint8Array(32).fill(7)).publicKey;
const policy: Policy = {
  blockSeconds: 86_400,
  retentionSeconds: 7 * 86_400,
  exportSeconds: 30 * 86_400,
  archiveKey: archiveKey.publicKey,
};
const world = seededWorld({ seed: 'archive boxes', members: 3, policy });
const [ada, bo, cy] = world.members as unknown as [SeededMember, SeededMember, SeededMember];
const author = ada.devices[0];
const box = `/organisations/${world.org}/groups/${world.state.everyone}/boxes`;

let relay: RelayUnderTest;
let token: string;
let line: Line;
beforeAll(async () => {
  relay = await relayUnderTest({ clock: world.clock });
  token = await settle(relay, world);
  line = await greet(relay, token);
});
afterAll(async () => {
  line.socket.close();
  await relay.close();
});

/** An epoch for the devices and these archive keys; its box for the first of them. */
const announceFor = (keys: readonly Uint8Array[], previous: Parameters<typeof announceOf>[3] = null) =>
  announceOf(world, author, 1, previous, {
    recipients: [
      ...world.members.flatMap(({ devices }) =>
        devices.map(({ id, decapsulator }) => ({ device: id, publicKey: decapsulator.publicKey })),
      ),
      ...keys.map((publicKey) => ({ device: archiveRecipient(primitives, publicKey), publicKey })),
    ].map(({ device, publicKey }) => ({ device, encapsulator: primitives.encapsulator(publicKey) })),
  });

async function refusalOf(announce: Awaited<ReturnType<typeof announceFor>>): Promise<string> {
  line.send(announce);
  return (await line.next('refused')).code;
}

async function ask(path: string, as: string): Promise<string | Uint8Array> {
  const { status, body } = await call(relay, 'GET', `${box}/${path}`, { token: as });
  return status === 200 ? (fromBase64Url(body.box) as Uint8Array) : `${status} ${body.code}`;
}

test('an epoch is for the archive of the log, with a box for it: not for none, not for another, not for two', async () => {
  const { publicKey } = archiveKey;
  expect(await refusalOf(await announceFor([]))).toBe('statement-refused');
  expect(await refusalOf(await announceFor([another]))).toBe('statement-refused');
  expect(await refusalOf(await announceFor([publicKey, another]))).toBe('statement-refused');
  const good = await announceFor([publicKey]);
  const without = good.boxes.filter(({ device }) => device !== archive);
  expect(await refusalOf({ ...good, boxes: without })).toBe('stale-directory');
  const foreign = { device: archiveRecipient(primitives, another), box: good.boxes[0]!.box };
  expect(await refusalOf({ ...good, boxes: [...good.boxes, foreign] })).toBe('not-a-recipient');
});

test('admins and exporters read the archive’s box, and of nobody else one; members do not', async () => {
  const announce = await announceFor([archiveKey.publicKey]);
  line.send(announce);
  expect(await line.next('appended')).toMatchObject({ seqs: [1] });
  const statement = parseEpochStatement(primitives, announce.statement);
  const open = (found: string | Uint8Array): void =>
    openEpochBox(primitives, [archiveKey], statement, archive, found as Uint8Array).dispose();
  open(await ask(`1/${archive}`, token));
  const bos = await tokenOf(relay, world.org, bo.devices[0]);
  expect(await ask(`1/${archive}`, bos)).toBe('403 not-a-member');
  const promoted = createRoleChange({ ...world.as(author), member: bo.id, role: 'exporter' });
  await appendLog(relay, world.org, token, promoted);
  world.append(promoted);
  open(await ask(`1/${archive}`, bos));
  for (const reader of [token, bos]) {
    expect(await ask(`1/${cy.devices[0].id}`, reader)).toBe('404 no-box');
    expect(await ask(`1/${author.id}`, reader)).toBe('404 no-box');
    expect(await ask(`2/${archive}`, reader)).toBe('404 no-box');
    expect(await ask(`1/${archiveRecipient(primitives, another)}`, reader)).toBe('404 no-box');
    expect(await ask('1/everyone', reader)).toBe('400 malformed');
  }
});

test('a wipe of everybody, and another archive key, leave the box where it is', async () => {
  const wipe = createWipe({ ...world.as(author), target: { of: 'everyone-but-admins' } });
  await appendLog(relay, world.org, token, wipe);
  world.append(wipe);
  const replaced = createPolicyChange({ ...world.as(author), policy: { ...policy, archiveKey: another } });
  await appendLog(relay, world.org, token, replaced);
  world.append(replaced);
  expect(await ask(`1/${archive}`, token)).toHaveLength(1_168);
});
