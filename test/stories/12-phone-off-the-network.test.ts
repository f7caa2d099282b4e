import { cp, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import {
  connect,
  createOrganisation,
  DEFAULT_POLICY,
  join,
  memoryDeviceStore,
  type DeviceStore,
  type Ports,
} from '@keytide/client';
import { openFileDeviceStore } from '@keytide/client/node';
import type { Policy } from '@keytide/key-directory';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { definition, type Device } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';
import { crashing, type Crash } from './unlock-crashes.ts';

const DAY_MS = 86_400_000;
const LEASE_DAYS = 7;
const policy = { ...DEFAULT_POLICY, leaseSeconds: LEASE_DAYS * 86_400 };
const PIN = '284913';
const kdf = { memoryKiB: 64, passes: 1, parallelism: 1 };
const FLAGS_AT = 17;

const clock = leapingClock(Date.now());
const folders: string[] = [];
const open = new Set<Device>();
let relay: Relay;
let ada: Device;
let network: 'there' | 'gone';

/** A device's ports, whose network the test can take away. */
const ports: Ports = {
  ...clock.ports(),
  fetch: async (input, init) => {
    if (network === 'gone') throw new TypeError('no network');
    return await fetch(input, init);
  },
  WebSocket: class extends WebSocket {
    constructor(url: string | URL) {
      super(network === 'gone' ? 'ws://127.0.0.1:9/' : url);
    }
  },
};

async function newHome(): Promise<string> {
  const folder = await mkdtemp(path(tmpdir(), 'keytide-lease-'));
  folders.push(folder);
  return folder;
}

const storeIn = (home: string, passphrase = PIN): Promise<DeviceStore> =>
  openFileDeviceStore({ home, passphrase, kdf, ports });

/** Whether what lies in this home opens: with which code not. */
async function opens(home: string, passphrase = PIN): Promise<string> {
  try {
    const store = await storeIn(home, passphrase);
    const { length } = await store.keys.names('');
    await store.close();
    return length > 0 ? 'opens' : 'empty';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

async function needsShare(home: string): Promise<boolean> {
  return ((await readFile(path(home, 'vault')))[FLAGS_AT] as number) % 2 === 1;
}

/** As `opens`, of a phone that is on: a copy of its disk as it is now. */
async function opensBeside(home: string): Promise<string> {
  const copy = await newHome();
  for (const name of ['vault', 'unlock']) await cp(path(home, name), path(copy, name));
  return await opens(copy);
}

function withoutLease(from: Policy): Policy {
  const { leaseSeconds, ...rest } = from;
  expect(leaseSeconds).toBe(policy.leaseSeconds);
  return rest;
}

interface Phone {
  readonly home: string;
  readonly client: Device;
}

/** Somebody new, whose vault has come to need its share. */
async function newPhone(handle: string): Promise<Phone> {
  const home = await newHome();
  const link = await ada.invite();
  const client = await join({ definition, ports, store: await storeIn(home), link, handle });
  open.add(client);
  await expect.poll(() => needsShare(home), { timeout: 20_000 }).toBe(true);
  return { home, client };
}

async function switchOff({ client }: Phone): Promise<void> {
  open.delete(client);
  await client.close();
}

/** A copy of everything that a phone which is off has on its disk. */
async function imageOf(phone: Phone): Promise<string> {
  await switchOff(phone);
  const { home } = phone;
  const image = await newHome();
  await cp(home, image, { recursive: true });
  return image;
}

beforeAll(async () => {
  network = 'there';
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {}, clock });
  const store = memoryDeviceStore();
  const options = { definition, ports: clock.ports(), store, relayUrl: relay.url, handle: 'ada', policy };
  ada = await createOrganisation(options);
});
beforeEach(() => {
  network = 'there';
});
afterAll(async () => {
  network = 'there';
  for (const client of [...open, ada]) await client?.close();
  await relay?.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

describe('a phone that stays off the network', () => {
  test('from before it is wiped: nobody opens it any more, with the whole disk and the PIN', async () => {
    const phone = await newPhone('bo');
    const image = await imageOf(phone);
    const second = await newHome();
    await cp(image, second, { recursive: true });
    expect(await opens(image)).toBe('opens');
    await ada.wipe({ of: 'device', device: phone.client.device });
    expect(await opens(image)).toBe('lease-over');
    network = 'gone';
    expect(await opens(second)).toBe('offline');
    clock.leap((LEASE_DAYS + 1) * DAY_MS);
    expect(await opens(second)).toBe('offline');
    network = 'there';
    for (const home of [image, second, phone.home]) expect(await opens(home)).toBe('lease-over');
    // Nothing there was destroyed: it is of no use to anybody.
    expect((await stat(path(phone.home, 'vault'))).size).toBeGreaterThan(100);
  });

  test('and is never wiped: opens until its lease has run out, and not after', async () => {
    const phone = await newPhone('cy');
    const image = await imageOf(phone);
    clock.leap(LEASE_DAYS * DAY_MS - 60_000);
    expect(await opens(image)).toBe('opens');
    clock.leap(60_000);
    expect(await opens(image)).toBe('lease-over');
  });

  test('opens with ten guesses at the PIN at most, wherever its disk was copied to', async () => {
    const phone = await newPhone('dee');
    const image = await imageOf(phone);
    for (let guess = 0; guess < 5; guess += 1)
      expect(await opens(image, `00000${guess}`)).toBe('wrong-passphrase');
    const copies = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const home = await newHome();
        await cp(image, home, { recursive: true });
        return home;
      }),
    );
    expect(new Set(await Promise.all(copies.map((home, i) => opens(home, `11111${i}`))))).toEqual(
      new Set(['wrong-passphrase']),
    );
    for (const home of [image, phone.home, ...copies]) expect(await opens(home)).toBe('lease-over');
  });

  test('revoked, or of a removed member: the same at once', async () => {
    const [lost, removed] = [await newPhone('eve'), await newPhone('fay')];
    const images = [await imageOf(lost), await imageOf(removed)];
    await ada.revokeDevice(lost.client.device);
    await ada.removeMember(removed.client.member);
    for (const image of images) expect(await opens(image)).toBe('lease-over');
  });
});

test('a phone that is used keeps its lease, and reads on', async () => {
  const phone = await newPhone('gil');
  for (let day = 0; day < 4; day += 1) {
    clock.leap(3 * DAY_MS);
    // Sessions have ended meanwhile.
    await expect
      .poll(() => [ada.state.kind, phone.client.state.kind].join(), { timeout: 20_000 })
      .toBe('online,online');
    await expect
      .poll(
        () =>
          ada.collections.chat.append({ text: `day ${day}` }).then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true);
    await expect
      .poll(() => phone.client.collections.chat.read().at(-1)?.body.text, { timeout: 20_000 })
      .toBe(`day ${day}`);
    // Renewed a quarter of the lease after the last time.
    await expect.poll(async () => phone.client.state.kind, { timeout: 20_000 }).toBe('online');
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  await switchOff(phone);
  expect(await opens(phone.home)).toBe('opens');
});

test('an open phone that hears nothing for the lease locks itself: keys and content leave the memory', async () => {
  const phone = await newPhone('hal');
  await ada.collections.chat.append({ text: 'the way is clear' });
  const shown = () => phone.client.collections.chat.read().map(({ body }) => body.text);
  await expect.poll(shown, { timeout: 20_000 }).toContain('the way is clear');
  network = 'gone';
  clock.leap(LEASE_DAYS * DAY_MS - DAY_MS / 2);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(phone.client.state.kind).not.toBe('locked');
  clock.leap(DAY_MS);
  await expect.poll(() => phone.client.state.kind, { timeout: 20_000 }).toBe('locked');
  expect(shown()).toEqual([]);
  const locked = { code: 'locked' };
  await expect(phone.client.collections.chat.append({ text: 'hello' })).rejects.toMatchObject(locked);
  await expect(phone.client.online()).rejects.toMatchObject(locked);
  // Off for longer than the lease, it is lost.
  expect(await opens(phone.home)).toBe('offline');
  network = 'there';
  expect(await opens(phone.home)).toBe('lease-over');
});

test.each(
  ['before', 'after'].flatMap((when) => [0, 1, 2, 3].map((at) => [when as Crash['when'], at] as const)),
)('a crash %s step %i of giving a vault its share leaves one that opens', async (when, at) => {
  const home = await newHome();
  const { store, ports: dying, seen } = crashing(await storeIn(home), ports, { at, when });
  const client = await join({ definition, ports: dying, store, link: await ada.invite(), handle: 'kim' });
  await expect.poll(() => seen.isDead, { timeout: 20_000 }).toBe(true);
  await client.close();
  expect(await opens(home)).toBe('opens');
  const again = await connect({ definition, ports, store: await storeIn(home) });
  await again.online();
  await expect.poll(() => needsShare(home), { timeout: 20_000 }).toBe(true);
  await expect.poll(() => opensBeside(home), { timeout: 20_000 }).toBe('opens');
  await again.close();
  expect(await opens(home)).toBe('opens');
});

test('who guesses at a copy of the disk is counted whenever its owner unlocks it, and both are told', async () => {
  const phone = await newPhone('max');
  const copy = await newHome();
  for (const name of ['vault', 'unlock']) await cp(path(phone.home, name), path(copy, name));
  await switchOff(phone);
  let wrong = 0;
  for (; wrong < 8; wrong += 1) {
    expect(await opens(copy, `00000${wrong}`)).toBe('wrong-passphrase');
    expect(await opens(phone.home)).toBe('opens');
  }
  const client = await connect({ definition, ports, store: await storeIn(phone.home) });
  open.add(client);
  const told: number[] = [];
  client.on('unlock-attempts', (attempts) => told.push(attempts.wrong));
  await expect.poll(() => told, { timeout: 20_000 }).toEqual([wrong]);
  expect(await ada.unlockAttempts()).toContainEqual({ device: client.device, wrong });
  await expect(client.unlockAttempts()).rejects.toMatchObject({ relayCode: 'not-a-member' });
  for (; wrong < 10; wrong += 1) expect(await opens(copy, `00000${wrong}`)).toBe('wrong-passphrase');
  expect(await opens(copy)).toBe('lease-over');
});

test('a share that strangers with a copy of the disk used up is replaced, and their copy opens no more', async () => {
  const phone = await newPhone('lee');
  const copy = await newHome();
  for (const name of ['vault', 'unlock']) await cp(path(phone.home, name), path(copy, name));
  expect(await opens(copy)).toBe('opens');
  for (let guess = 0; guess < 10; guess += 1)
    expect(await opens(copy, `00000${guess}`)).toBe('wrong-passphrase');
  expect(await opens(copy)).toBe('lease-over');
  clock.leap(2 * DAY_MS);
  const before = await readFile(path(copy, 'unlock'));
  await expect
    .poll(async () => before.equals(await readFile(path(phone.home, 'unlock'))), { timeout: 20_000 })
    .toBe(false);
  await expect.poll(() => opensBeside(phone.home), { timeout: 20_000 }).toBe('opens');
  expect(await opens(copy)).toBe('lease-over');
  await cp(path(phone.home, 'unlock'), path(copy, 'unlock'));
  expect(await opens(copy)).toBe('wrong-passphrase');
});

test('without a lease in the policy any more, the next contact lets it open without the relay', async () => {
  const phone = await newPhone('ida');
  await ada.setPolicy(() => withoutLease(ada.policy));
  await expect.poll(() => needsShare(phone.home), { timeout: 20_000 }).toBe(false);
  await expect.poll(() => stat(path(phone.home, 'unlock')).catch(() => null), { timeout: 20_000 }).toBe(null);
  await switchOff(phone);
  network = 'gone';
  const store = await storeIn(phone.home);
  const client = await connect({ definition, ports, store });
  open.add(client);
  expect(client.members().length).toBeGreaterThan(1);
});
