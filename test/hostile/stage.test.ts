import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { encodeClientFrame, type ClientFrame } from '@keytide/relay-protocol';
import { addGhost, seededDevice } from '@keytide/testkit/hostile-relay';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { burgle, forgeEpoch } from './loot.ts';
import { now } from './noon-ports.ts';
import { rawLogin } from './raw-session.ts';
import { openStage, says, until, type Person, type Stage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

test('a stage is clear after keys went to those in the log', async () => {
  const { ada } = await stage.pair();
  await stage.admit(ada, 'cy');
  await says(ada, 'to all three');
  await ada.client.settled();
  await expect(stage.clear()).resolves.toBeUndefined();
});

test('a stage is not clear after a key was sealed to a stranger, not even where a victim believes in the stranger', async () => {
  const { ada, bo } = await stage.pair();
  const ghost = seededDevice(primitives, nodeRandom, now());
  addGhost(stage.hostile, bo.client.device, { primitives, ghost, member: null });
  await sealsTo(ada, ghost.id);
  await expect(stage.clear()).rejects.toThrow(ghost.id);
  // And is again, afterwards.
  await expect(stage.clear()).resolves.toBeUndefined();
});

/** What a client would send that takes this device for one of the group's. */
async function sealsTo(person: Person, device: string): Promise<void> {
  const { url } = stage.hostile;
  const loot = await burgle(person);
  const subject = { kind: 'device', id: loot.device } as const;
  const login = { url, relayName: url, org: person.client.org, subject, signer: loot.signer };
  const { body } = await rawLogin(login);
  const { entry } = await forgeEpoch(loot);
  const announce: ClientFrame = {
    type: 'announce',
    requestId: 1,
    group: loot.group,
    messageId: nodeRandom(16),
    statement: entry.bytes,
    boxes: [{ device: device as typeof loot.device, box: nodeRandom(1168) }],
  };
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/socket`);
  const before = stage.hostile.traffic.length;
  socket.addEventListener('open', () => {
    socket.send(encodeClientFrame({ type: 'hello', token: body.token as string }));
    socket.send(encodeClientFrame(announce));
  });
  const isSent = (bytes: Uint8Array): boolean => Buffer.from(bytes).includes(Buffer.from(device, 'hex'));
  await until(() => stage.hostile.traffic.slice(before).some(isSent), 'the announcement to pass');
  socket.close();
}
