import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  type Client,
  type DeviceStore,
} from '@keytide/client';
import { openFileDeviceStore } from '@keytide/client/node';
import { concatBytes, CryptoError, encodeCbor, idBytes } from '@keytide/crypto-core';
import { nodeRandom } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { folderDatabase } from '@keytide/testkit';
import { hostileRelay, type HostileRelay } from '@keytide/testkit/hostile-relay';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findHidden } from './hidden-forms.ts';
import { leapingClock } from './leaping-clock.ts';

const definition = defineOrganisation({});
type Device = Client<typeof definition>;

const DAY_MS = 86_400_000;
const SECRET = 'I would rather not say this to everybody';
const clock = leapingClock(Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2);
let folder: string;
let relay: Relay;
let hostile: HostileRelay;
let ada: Device;
let bo: Device;
let phone: Device;
let cy: Device;
/** Of whoever is closed and comes back. */
const stores = new Map<string, DeviceStore>();

function storeOf(name: string): DeviceStore {
  const store = stores.get(name) ?? { ...memoryDeviceStore(), close: async () => {} };
  stores.set(name, store);
  return store;
}
const options = (name: string) => ({ definition, ports: clock.ports(), store: storeOf(name) });
const texts = (device: Device, other: Device) =>
  device.direct.read(other.member).map(({ handle, body }) => `${handle}: ${String(body['text'])}`);

/** Until a device shows so many messages with another's member. */
const shows = (device: Device, other: Device, count: number) =>
  expect.poll(() => texts(device, other).length, { timeout: 30_000 }).toBe(count);

beforeAll(async () => {
  folder = await mkdtemp(joinPath(tmpdir(), 'keytide direct '));
  hostile = await hostileRelay({
    async target(publicUrl) {
      const database = folderDatabase(joinPath(folder, 'relay'));
      relay = await startRelay({ database, port: 0, publicUrl, clock, log: () => {} });
      return relay.url;
    },
  });
  ada = await createOrganisation({ ...options('ada'), relayUrl: hostile.url, handle: 'ada' });
  await ada.online();
  const file = await openFileDeviceStore({ home: joinPath(folder, 'bo'), passphrase: 'bo has a passphrase' });
  bo = await join({ ...options('bo'), store: file, link: await ada.invite(), handle: 'bo' });
  cy = await join({ ...options('cy'), link: await ada.invite(), handle: 'cy' });
  await Promise.all([bo.online(), cy.online()]);
  phone = await join({ ...options('phone'), link: await bo.inviteDevice() });
  await phone.online();
  await vi.waitFor(() => expect(ada.directorySize).toBe(phone.directorySize), 20_000);
}, 120_000);

afterAll(async () => {
  for (const device of [ada, bo, phone, cy]) await device.close().catch(() => {});
  await hostile.close();
  await relay.close().catch(() => {});
  await rm(folder, { recursive: true, force: true });
});

describe('two people, one of them with two devices', () => {
  test('write to each other, and both devices have both sides', async () => {
    const { silent } = await ada.direct.send(bo.member, { text: SECRET });
    expect(silent).toEqual([]);
    await Promise.all([shows(bo, ada, 1), shows(phone, ada, 1)]);
    await phone.direct.send(ada.member, { text: 'understood' });
    const both = [`ada: ${SECRET}`, 'bo: understood'];
    await Promise.all([shows(ada, bo, 2), shows(bo, ada, 2)]);
    for (const shown of [texts(ada, bo), texts(bo, ada), texts(phone, ada)]) expect(shown).toEqual(both);
    expect([...cy.direct.read(ada.member), ...cy.direct.read(bo.member)]).toEqual([]);
    const [first] = ada.direct.read(bo.member);
    expect(bo.direct.read(ada.member)[0]).toMatchObject({
      id: first?.id,
      device: ada.device,
      from: ada.member,
    });
  });

  test('follow a conversation', async () => {
    const seen: string[] = [];
    for await (const { body } of bo.direct.follow(ada.member, AbortSignal.timeout(20_000))) {
      seen.push(String(body['text']));
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([SECRET, 'understood']);
  });

  test('write while the other is away, and while out of reach: all comes, once, in order', async () => {
    await cy.close();
    const lines = Array.from({ length: 5 }, (_, i) => `line ${i}`);
    for (const text of lines.slice(0, 3)) await ada.direct.send(cy.member, { text });
    await expect.poll(() => ada.direct.waiting, { timeout: 20_000 }).toBe(0);
    // Answers of the relay are lost from now on: what it keeps, ada sends again.
    const relent = hostile.attack({
      victim: ada.device,
      async call(call, forward) {
        const answer = await forward(call);
        return call.method === 'POST' && call.path.endsWith('/mail')
          ? { status: 503, body: { code: 'unavailable', message: 'lost' } }
          : answer;
      },
    });
    for (const text of lines.slice(3)) await ada.direct.send(cy.member, { text });
    const { waiting } = ada.direct;
    expect(waiting).toBe(2);
    await ada.close();
    relent();
    ada = await connect(options('ada'));
    expect(texts(ada, cy)).toEqual(lines.map((text) => `ada: ${text}`));
    await expect.poll(() => ada.direct.waiting, { timeout: 30_000 }).toBe(0);
    cy = await connect(options('cy'));
    await shows(cy, ada, 5);
    expect(texts(cy, ada)).toEqual(lines.map((text) => `ada: ${text}`));
    expect(cy.direct.unreadable).toEqual([]);
  });

  test('what a device has no room for stays with the relay, and comes when there is room', async () => {
    const { keys } = storeOf('cy');
    let failures = 0;
    const full = vi.spyOn(keys, 'write').mockImplementation(async (batch) => {
      if (batch.some(({ name }) => name.startsWith('direct/kept/'))) failures += 1;
      throw new CryptoError('storage-full', 'no room');
    });
    await ada.direct.send(cy.member, { text: 'for when there is room' });
    await expect.poll(() => failures, { timeout: 20_000 }).toBeGreaterThan(0);
    await expect.poll(() => ada.direct.waiting, { timeout: 20_000 }).toBe(0);
    expect(cy.direct.unreadable).toEqual([]);
    full.mockRestore();
    await ada.direct.send(cy.member, { text: 'and now' });
    await shows(cy, ada, 7);
    expect(texts(cy, ada).slice(5)).toEqual(['ada: for when there is room', 'ada: and now']);
  });

  test('do not write to nobody, nor more than a message holds', async () => {
    await expect(ada.direct.send('ab'.repeat(16) as never, { text: 'x' })).rejects.toMatchObject({
      code: 'unknown-member',
    });
    await expect(ada.direct.send(bo.member, { text: 'x'.repeat(8_193) })).rejects.toMatchObject({
      code: 'too-large',
    });
    expect(ada.direct.waiting).toBe(0);
  });
});

describe('a relay that cheats', () => {
  test('showing a message again, or the whole mailbox after a restart, shows it once', async () => {
    let shown = 0;
    let confirmed = 0;
    const watch = hostile.attack({
      victim: cy.device,
      async call(call, forward) {
        const answer = await forward(call);
        if (call.path.endsWith('/confirm')) confirmed = (call.body as { seqs: number[] }).seqs.length;
        return answer;
      },
    });
    const kept: unknown[] = [];
    const relent = hostile.attack({
      victim: cy.device,
      async call(call, forward) {
        const answer = await forward(call);
        if (call.method !== 'GET' || !call.path.includes('/mail?')) return answer;
        const page = answer.body as { messages: { seq: number }[]; more: boolean };
        kept.push(...page.messages);
        shown += 1;
        const messages = kept.map((message, i) => ({ ...(message as object), seq: i + 1 }));
        return {
          status: 200,
          body: { messages: call.path.endsWith('after=0') ? messages : [], more: false },
        };
      },
    });
    await ada.direct.send(cy.member, { text: 'only once' });
    await shows(cy, ada, 8);
    await cy.close();
    const before = shown;
    cy = await connect(options('cy'));
    await expect.poll(() => shown, { timeout: 20_000 }).toBeGreaterThan(before);
    await ada.direct.send(cy.member, { text: 'and this' });
    await shows(cy, ada, 9);
    expect(cy.direct.unreadable).toEqual([]);
    relent();
    // What cy has confirmed meanwhile were the numbers that it was shown: the true mailbox comes again.
    await ada.direct.send(cy.member, { text: 'as it is' });
    await shows(cy, ada, 10);
    await expect.poll(() => confirmed, { timeout: 20_000 }).toBeGreaterThan(2);
    expect(cy.direct.unreadable).toEqual([]);
    watch();
  });

  test.each([
    ['under another sender', (message: Mail) => ({ ...message, sender: bo.device })],
    ['altered', (message: Mail) => ({ ...message, message: flipped(message.message) })],
    ['of another recipient', () => ({ seq: 1, sender: ada.device, message: foreign })],
  ])('a message %s shows nothing, and says so', async (_, change) => {
    const before = cy.direct.unreadable.length;
    const relent = hostile.attack({
      victim: cy.device,
      async call(call, forward) {
        const answer = await forward(call);
        if (call.method !== 'GET' || !call.path.includes('/mail?')) return answer;
        const page = answer.body as { messages: Mail[]; more: boolean };
        return { status: 200, body: { ...page, messages: page.messages.map(change) } };
      },
    });
    await ada.direct.send(cy.member, { text: 'never seen' });
    await vi.waitFor(() => expect(cy.direct.unreadable.length).toBe(before + 1), 30_000).finally(relent);
    expect(['decryption-failed', 'bad-signature']).toContain(cy.direct.unreadable.at(-1)?.code);
    expect(texts(cy, ada).filter((text) => text.includes('never seen'))).toEqual([]);
    await ada.direct.send(cy.member, { text: `after ${before}` });
    await expect.poll(() => texts(cy, ada).at(-1), { timeout: 30_000 }).toBe(`ada: after ${before}`);
  });

  interface Mail {
    readonly seq: number;
    readonly sender: string;
    readonly message: string;
  }
  let foreign = '';

  beforeAll(async () => {
    // What ada sent to bo, as the relay has it.
    const keep = hostile.attack({
      victim: ada.device,
      call(call, forward) {
        const body = call.body as { recipient?: string; message?: string } | null;
        if (call.path.endsWith('/mail') && body?.recipient === bo.device) foreign = body.message as string;
        return forward(call);
      },
    });
    await ada.direct.send(bo.member, { text: 'for bo' });
    await vi.waitFor(() => expect(foreign).not.toBe(''), 20_000);
    keep();
  });

  function flipped(message: string): string {
    const last = message.at(-9) as string;
    return `${message.slice(0, -9)}${last === 'A' ? 'B' : 'A'}${message.slice(-8)}`;
  }
});

describe('a member who writes without end', () => {
  test('fills nobody’s store: what is more stays with the relay until there is room', async () => {
    await cy.close();
    const { keys } = storeOf('cy');
    const now = clock.now();
    // As if ada had written two megabytes, most of a retention window ago.
    const agoMs = ada.policy.retentionSeconds * 1000 - 60_000;
    const text = 'x'.repeat(8_000);
    const kept = Array.from({ length: 255 }, (_, i) => {
      const said = encodeCbor([1, nodeRandom(16), idBytes(cy.member), now - agoMs, { text }]);
      return {
        name: `direct/kept/${String(1_000 + i).padStart(16, '0')}`,
        value: encodeCbor([1, idBytes(ada.device), now - agoMs, said]),
      };
    });
    await keys.write(kept);
    cy = await connect(options('cy'));
    await ada.direct.send(cy.member, { text: 'too much' });
    await expect.poll(() => cy.direct.held, { timeout: 20_000 }).toEqual([ada.member]);
    // The relay has it, nobody else is held up, and a hint does not bring it again.
    await expect.poll(() => ada.direct.waiting, { timeout: 20_000 }).toBe(0);
    let read = 0;
    const watch = hostile.attack({
      victim: cy.device,
      async call(call, forward) {
        const answer = await forward(call);
        if (call.method === 'GET' && call.path.includes('/mail?'))
          read += (answer.body as { messages: unknown[] }).messages.length;
        return answer;
      },
    });
    await bo.direct.send(cy.member, { text: 'from somebody else' });
    await expect.poll(() => texts(cy, bo), { timeout: 20_000 }).toEqual(['bo: from somebody else']);
    expect(read).toBe(1);
    expect(cy.direct.held).toEqual([ada.member]);
    watch();
    // Older messages are over: there is room at the next look, whatever wakes it.
    clock.leap(70_000);
    await bo.direct.send(cy.member, { text: 'again' });
    await expect.poll(() => texts(cy, ada).at(-1), { timeout: 30_000 }).toBe('ada: too much');
    expect([cy.direct.held, cy.direct.unreadable]).toEqual([[], []]);
  });

  test('is told that the mailbox is full, keeps what was refused, and writes no more then', async () => {
    const relent = hostile.attack({
      victim: ada.device,
      call: async (call, forward) =>
        call.method === 'POST' && call.path.endsWith('/mail')
          ? { status: 409, body: { code: 'quota-exceeded', message: 'full', reason: 'share-full' } }
          : forward(call),
    });
    await ada.direct.send(cy.member, { text: 'into a full mailbox' });
    await expect
      .poll(() => ada.direct.refused, { timeout: 20_000 })
      .toEqual([{ device: cy.device, code: 'quota-exceeded' }]);
    await ada.close();
    const { keys } = storeOf('ada');
    const waiting = Array.from({ length: 499 }, (_, i) => ({
      name: `direct/out/${String(5_000 + i).padStart(16, '0')}`,
      value: encodeCbor([1, idBytes(cy.device), nodeRandom(16), nodeRandom(16), clock.now()]),
    }));
    await keys.write(waiting);
    ada = await connect(options('ada'));
    const before = texts(ada, cy);
    await expect(ada.direct.send(cy.member, { text: 'more' })).rejects.toMatchObject({
      code: 'mailbox-full',
    });
    expect(texts(ada, cy)).toEqual(before);
    await ada.close();
    await keys.write(waiting.map(({ name }) => ({ name, value: null })));
    relent();
    ada = await connect(options('ada'));
    await expect.poll(() => texts(cy, ada).at(-1), { timeout: 30_000 }).toBe('ada: into a full mailbox');
    expect(ada.direct.refused).toEqual([]);
  });
});

describe('who is gone, or away, or late', () => {
  test('a removed member is not written to, and what they wrote before stays', async () => {
    await cy.direct.send(ada.member, { text: 'good bye' });
    await expect.poll(() => texts(ada, cy).at(-1), { timeout: 30_000 }).toBe('cy: good bye');
    await ada.removeMember(cy.member);
    await expect(ada.direct.send(cy.member, { text: 'still there?' })).rejects.toMatchObject({
      code: 'unknown-member',
    });
    expect(texts(ada, cy).at(-1)).toBe('cy: good bye');
  });

  test('a device that was away for too long is named, and what is over is gone', async () => {
    await phone.close();
    const { retentionSeconds, exportSeconds } = ada.policy;
    expect(texts(bo, ada)).not.toEqual([]);
    clock.leap(retentionSeconds * 1000 + DAY_MS);
    // Not shown from now on, deleted or not; the admin keeps what may be exported.
    expect(texts(bo, ada)).toEqual([]);
    expect(texts(ada, bo)).not.toEqual([]);
    await Promise.all([ada.online(), bo.online()]);
    await expect
      .poll(
        async () => {
          const { silent } = await ada.direct
            .send(bo.member, { text: 'a week later' })
            .catch(() => ({ silent: [] }));
          return silent;
        },
        { timeout: 30_000, interval: 1_000 },
      )
      .toEqual([phone.device]);
    await expect.poll(() => texts(bo, ada).at(-1), { timeout: 30_000 }).toBe('ada: a week later');
    clock.leap(exportSeconds * 1000);
    // An admin's clock alone deletes nothing: the relay says the same at the next connection.
    await ada.close();
    ada = await connect(options('ada'));
    await ada.online();
    expect(texts(ada, bo)).toEqual([]);
  }, 90_000);
});

describe('when all is closed', () => {
  test('no disk has a word of it', async () => {
    for (const device of [ada, bo, cy]) await device.close();
    await hostile.close();
    await relay.close();
    const bytes = concatBytes(...(await everyFileIn(folder)));
    expect(bytes.length).toBeGreaterThan(100_000);
    expect(findHidden(bytes, new Map([['secret', new TextEncoder().encode(SECRET)]]))).toEqual([]);
    const sent = concatBytes(...hostile.traffic);
    expect(findHidden(sent, new Map([['secret', new TextEncoder().encode(SECRET)]]))).toEqual([]);
  });
});

async function everyFileIn(parent: string): Promise<Uint8Array[]> {
  const entries = await readdir(parent, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(files.map((file) => readFile(joinPath(file.parentPath, file.name))));
}
