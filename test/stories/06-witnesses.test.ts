import { connect, createOrganisation, join, type Ports } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { logNoteKey, originOf, parseNote, verifyNote } from '@keytide/key-directory';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chatPeople, definition, hears, keptStore, says, type Person } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';

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
const people = chatPeople(clock);

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

async function joins(handle: string, role: 'admin' | 'member'): Promise<Person> {
  const link = await ada.client.invite({ role });
  return await people.enters((entered) => join({ ...entered, link, handle }));
}

const later = (hours: number): Promise<void> => people.sleep(hours * HOUR_MS);

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

const unwitnessed = { code: 'unwitnessed' };

beforeAll(async () => {
  relay = await startRelay({
    database: memoryDatabase(),
    port: 0,
    log: () => {},
    clock: { now: clock.now },
  });
  const founding = { relayUrl: relay.url, handle: 'ada', policy };
  ada = await people.enters((entered) => createOrganisation({ ...entered, ...founding }));
});

afterAll(async () => {
  await people.close();
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
  await people.leaves(bo);
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
  await people.returns(bo);
  await areWitnesses(ada, ['ada', 'bo']);
  const link = await cy.client.inviteDevice();
  const phone = await join({ definition, ports: clock.ports(), store: keptStore(), link });
  await says(cy, 'here is my phone');
  await ada.client.invite();
  await people.leaves(cy);
  const far = await connect({ definition, ports: outOfReach(), store: cy.store });
  await far.collections.chat.append({ text: 'written on the way' });
  await far.close();
  await people.leaves(bo);
  await later(2);
  await areWitnesses(ada, ['ada']);
  for (const { id } of ada.client.invites()) await ada.client.revokeInvite(id);
  await ada.client.revokeDevice(phone.device);
  await expect.poll(() => phone.state.kind, PATIENCE).toBe('stopped');
  await phone.close();
});

test('then nothing is said that the thief could read, until bo is back: and then by itself', async () => {
  await people.returns(cy);
  await expect(says(cy, 'for the thief?')).rejects.toMatchObject(unwitnessed);
  const before = cy.client.epoch;
  expect(cy.client.waiting).toBe(1);
  await people.returns(bo);
  await expect.poll(() => cy.client.epoch, PATIENCE).toBeGreaterThan(before);
  await hears(bo, 'written on the way');
  await says(cy, 'not for the thief');
  await hears(bo, 'not for the thief');
});

test('an epoch lasts no longer for want of witnesses than its time', async () => {
  await people.leaves(bo);
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
  await people.leaves(ada);
  await later(2);
  await areWitnesses(cy, []);
  const brief = await connect({
    definition,
    ports: { ...clock.ports(), WebSocket: outOfReach().WebSocket },
    store: ada.store,
  });
  const [invite] = brief.invites();
  await brief.revokeInvite(invite!.id);
  await brief.close();
  await areWitnesses(cy, ['ada']);
});
