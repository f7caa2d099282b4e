import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type DeviceStore,
  type Ports,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { logNoteKey, originOf, parseNote, verifyNote } from '@keytide/key-directory';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { leapingClock } from './leaping-clock.ts';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
type Device = Client<typeof definition>;

interface Person {
  client: Device;
  readonly store: DeviceStore;
  onlineTimes: number;
}

const HOUR_MS = 3_600_000;
const PATIENCE = { timeout: 20_000 };
/** Half past midnight, so that no block of a day ends before the story says so. */
const clock = leapingClock(1_767_225_600_000 + HOUR_MS / 2);
const policy = {
  blockSeconds: 86_400,
  retentionSeconds: 7 * 86_400,
  exportSeconds: 14 * 86_400,
  silenceSeconds: 7 * 86_400,
  witnesses: { needed: 2, maxAgeSeconds: 3600 },
};

let relay: Relay;
let ada: Person;
let bo: Person;
let cy: Person;
const awake = new Set<Person>();

const options = (
  store: DeviceStore = { ...memoryDeviceStore(), close: async () => {} },
  ports = clock.ports(),
) => ({
  definition,
  ports,
  store,
});

/** Ports of a device that reaches nothing. */
function outOfReach(): Ports {
  const fetch = (): Promise<Response> => Promise.reject(new TypeError('no network'));
  class WebSocket extends nodePorts.WebSocket {
    constructor() {
      super('ws://127.0.0.1:9');
    }
  }
  return { ...clock.ports(), fetch, WebSocket };
}

function person(client: Device, store: DeviceStore): Person {
  return comes({ client, store, onlineTimes: 0 });
}

function comes(one: Person): Person {
  one.client.on('state', ({ kind }) => {
    if (kind === 'online') one.onlineTimes += 1;
  });
  awake.add(one);
  return one;
}

async function joins(handle: string, role: 'admin' | 'member'): Promise<Person> {
  const given = options();
  return person(await join({ ...given, link: await ada.client.invite({ role }), handle }), given.store);
}

async function goesOffline(one: Person): Promise<void> {
  awake.delete(one);
  await one.client.close();
}

async function comesBack(one: Person): Promise<void> {
  one.client = await connect(options(one.store));
  await one.client.online();
  comes(one);
}

/** Everybody sleeps, and is connected again so much later. */
async function later(hours: number): Promise<void> {
  const before = [...awake].map((one) => [one, one.onlineTimes] as const);
  clock.leap(hours * HOUR_MS);
  for (const [one, times] of before)
    await expect.poll(() => one.onlineTimes > times && one.client.state.kind, PATIENCE).toBe('online');
}

/** The handles of those whose cosignatures a device counts. */
function witnessesOf({ client }: Person): string[] {
  const { cosigned } = client.witnesses;
  return cosigned
    .map(({ member }) => client.members().find(({ id }) => id === member)?.handle ?? '?')
    .toSorted();
}

async function areWitnesses(one: Person, handles: readonly string[]): Promise<void> {
  await expect.poll(() => witnessesOf(one), PATIENCE).toEqual(handles);
}

async function says(one: Person, text: string): Promise<void> {
  await one.client.collections.chat.append({ text });
}

async function hears(one: Person, text: string): Promise<void> {
  const texts = (): string[] => one.client.collections.chat.read().map(({ body }) => body.text);
  await expect.poll(texts, PATIENCE).toContain(text);
}

const unwitnessed = { code: 'unwitnessed' };

beforeAll(async () => {
  relay = await startRelay({
    database: { kind: 'memory' },
    port: 0,
    log: () => {},
    clock: { now: clock.now },
  });
  const given = options();
  const founding = { ...given, relayUrl: relay.url, handle: 'ada', policy };
  ada = person(await createOrganisation(founding), given.store);
});

afterAll(async () => {
  for (const { client } of awake) await client.close();
  await relay?.close();
});

test('two admins must vouch for what the relay shows; while there is one, one is enough', async () => {
  bo = await joins('bo', 'admin');
  await areWitnesses(ada, ['ada', 'bo']);
  cy = await joins('cy', 'member');
  expect(cy.client.policy.witnesses).toEqual({ needed: 2, maxAgeSeconds: 3600 });
  await says(cy, 'hello from cy');
  for (const one of [ada, bo, cy]) {
    await areWitnesses(one, ['ada', 'bo']);
    expect(one.client.witnesses).toMatchObject({ needed: 2, isMet: true });
    await hears(one, 'hello from cy');
  }
});

test('the admins’ devices say it again by themselves, before their word is old', async () => {
  for (let hour = 0; hour < 3; hour += 1) {
    await later(1);
    for (const one of [ada, bo, cy]) await areWitnesses(one, ['ada', 'bo']);
  }
});

test('with bo out of reach nobody is let in and nothing is decided; the conversation goes on', async () => {
  const heard: boolean[] = [];
  cy.client.on('witnesses', ({ isMet }) => heard.push(isMet));
  await goesOffline(bo);
  await later(2);
  await areWitnesses(ada, ['ada']);
  const { client } = ada;
  await Promise.all(
    [
      client.invite(),
      client.inviteDevice(),
      client.setRole(cy.client.member, 'exporter'),
      client.setRole(cy.client.member, 'admin'),
      client.setPolicy((now) => ({ ...now, witnesses: { needed: 1, maxAgeSeconds: 3600 } })),
    ].map((act) => expect(act).rejects.toMatchObject(unwitnessed)),
  );
  expect([ada.client.state.kind, cy.client.state.kind]).toEqual(['online', 'online']);
  await says(cy, 'is bo there?');
  await hears(ada, 'is bo there?');
  await expect.poll(() => heard, PATIENCE).toEqual([false]);
});

test('what is refused comes with the newest word there is, signed by the relay', async () => {
  const error = await ada.client.invite().catch((failure: unknown) => failure);
  const [note] = (error as { evidence: Uint8Array[] }).evidence;
  const relayKey = logNoteKey(originOf(ada.client.org), ada.client.policy.relayKey as Uint8Array);
  expect(verifyNote(primitives, parseNote(note as Uint8Array), [relayKey]).verified).toHaveLength(1);
});

test('a stolen phone does not wait for bo, and neither does a link that went astray', async () => {
  await comesBack(bo);
  await areWitnesses(ada, ['ada', 'bo']);
  const link = await cy.client.inviteDevice();
  const given = options();
  const phone = await join({ ...given, link });
  await says(cy, 'here is my phone');
  await ada.client.invite();
  await goesOffline(cy);
  const far = await connect(options(cy.store, outOfReach()));
  await far.collections.chat.append({ text: 'written on the way' });
  await far.close();
  await goesOffline(bo);
  await later(2);
  await areWitnesses(ada, ['ada']);
  for (const { id } of ada.client.invites()) await ada.client.revokeInvite(id);
  await ada.client.revokeDevice(phone.device);
  await expect.poll(() => phone.state.kind, PATIENCE).toBe('stopped');
  await phone.close();
});

test('then nothing is said that the thief could read, until bo is back: and then by itself', async () => {
  await comesBack(cy);
  await expect(says(cy, 'for the thief?')).rejects.toMatchObject(unwitnessed);
  const before = cy.client.epoch;
  expect(cy.client.waiting).toBe(1);
  await comesBack(bo);
  await expect.poll(() => cy.client.epoch, PATIENCE).toBeGreaterThan(before);
  await hears(bo, 'written on the way');
  await says(cy, 'not for the thief');
  await hears(bo, 'not for the thief');
});

test('an epoch lasts no longer for want of witnesses than its time', async () => {
  await goesOffline(bo);
  await later(25);
  await says(cy, 'a late message');
  await hears(ada, 'a late message');
  await later(24);
  await expect(says(cy, 'too late')).rejects.toMatchObject(unwitnessed);
});

test('an admin who will not come back is demoted or removed by the others, and all goes on', async () => {
  await ada.client.setRole(bo.client.member, 'member');
  expect(ada.client.witnesses).toMatchObject({ needed: 1, isMet: true });
  await ada.client.removeMember(bo.client.member);
  await says(cy, 'a new day');
  await hears(ada, 'a new day');
  await ada.client.invite();
});

test('whoever comes only to do one thing has vouched for it before they leave', async () => {
  await goesOffline(ada);
  await later(2);
  await areWitnesses(cy, []);
  const brief = await connect(options(ada.store, { ...clock.ports(), WebSocket: outOfReach().WebSocket }));
  const [invite] = brief.invites();
  await brief.revokeInvite(invite!.id);
  await brief.close();
  await areWitnesses(cy, ['ada']);
});
