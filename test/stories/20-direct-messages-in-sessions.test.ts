import { mkdtemp, rm } from 'node:fs/promises';
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
import { libsignalSessions } from '@keytide/client/libsignal';
import { openFileDeviceStore } from '@keytide/client/node';
import {
  boxChannel,
  concatBytes,
  encodeCbor,
  encodeUtf8,
  fromBase64Url,
  fromHex,
  idBytes,
  memoryKeyStore,
  pairwiseEndpoint,
  parsePairwiseKind,
  toBase64Url,
  toHex,
  type WireKind,
} from '@keytide/crypto-core';
import { signalChannel } from '@keytide/crypto-core/libsignal';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { replay, type Device as DirectoryDevice } from '@keytide/key-directory';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import {
  forgeMembershipLog,
  hostileRelay,
  type Attack,
  type HostileRelay,
} from '@keytide/testkit/hostile-relay';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { inviteOf } from '../hostile/invite-of.ts';
import { seedsIn } from '../hostile/seeds.ts';
import { findHidden } from './hidden-forms.ts';
import { leapingClock } from './leaping-clock.ts';

const definition = defineOrganisation({});
type Device = Client<typeof definition>;

const DAY_MS = 86_400_000;
const SECRET = 'nobody else has to know this, now or later';
const clock = leapingClock(Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2);
const stores = new Map<string, DeviceStore>();
let folder: string;
let relay: Relay;
let hostile: HostileRelay;
/** All three hold sessions, and cy does not. */
let ada: Device;
let bo: Device;
let dee: Device;
let cy: Device;

function storeOf(name: string): DeviceStore {
  const store = stores.get(name) ?? { ...memoryDeviceStore(), close: async () => {} };
  stores.set(name, store);
  return store;
}
const boxes = (name: string) => ({ definition, ports: clock.ports(), store: storeOf(name) });
const options = (name: string) => ({ ...boxes(name), sessions: libsignalSessions });
const texts = (device: Device, other: Device) =>
  device.direct.read(other.member).map(({ body }) => String(body['text']));
const shows = (device: Device, other: Device, expected: string[]) =>
  expect.poll(() => texts(device, other).slice(-expected.length), { timeout: 30_000 }).toEqual(expected);

/** What has gone to a device in somebody's letters, as the relay was given it; without notices. */
const posted: {
  readonly from: string;
  readonly to: string;
  readonly kind: WireKind;
  readonly wire: Uint8Array;
}[] = [];
const kindsFrom = (from: Device, to: Device) =>
  posted.flatMap((each) => (each.from === from.device && each.to === to.device ? [each.kind] : []));
/** Devices that have handed in pre-keys. */
const published = new Set<string>();

type Call = NonNullable<Attack['call']>;
interface Offer {
  readonly bundle: string;
  readonly oneTime: string | null;
}
/** From now on answers those who ask for a device's pre-keys. */
const offering = (of: Device, answer: (given: Offer, who: string | null) => unknown) =>
  hostile.attack({
    async call(call, forward) {
      const given = await forward(call);
      if (!call.path.endsWith(`/pre-keys/${of.device}`) || given.status !== 200) return given;
      const body = answer(given.body as Offer, call.who);
      return body === null
        ? { status: 404, body: { code: 'no-pre-keys', message: '' } }
        : { status: 200, body };
    },
  });
const refusedFor = (device: Device, of: Device) =>
  device.direct.refused.find((each) => each.device === of.device)?.code ?? null;

const watch: Call = async (call, forward) => {
  const answer = await forward(call);
  if (call.method !== 'POST' || answer.status !== 201 || call.who === null) return answer;
  const body = call.body as { recipient: string; message: string };
  if (call.path.endsWith('/mail')) {
    const wire = fromBase64Url(body.message) as Uint8Array;
    const kind = parsePairwiseKind(wire);
    if (kind !== 'notice') posted.push({ from: call.who, to: body.recipient, kind, wire });
  }
  if (call.path.endsWith('/pre-keys')) published.add(call.who);
  return answer;
};

/** A new device, that others can start a session with. */
async function joined(name: string, changes: { store?: DeviceStore } = {}): Promise<Device> {
  const device = await join({ ...options(name), ...changes, link: await ada.invite(), handle: name });
  await vi.waitFor(() => {
    expect(published).toContain(device.device);
    for (const other of [ada, ...(bo === undefined ? [] : [bo])])
      expect(other.directorySize).toBe(device.directorySize);
  }, 20_000);
  return device;
}

beforeAll(async () => {
  folder = await mkdtemp(joinPath(tmpdir(), 'keytide sessions '));
  hostile = await hostileRelay({
    async target(publicUrl) {
      relay = await startRelay({ database: memoryDatabase(), port: 0, publicUrl, clock, log: () => {} });
      return relay.url;
    },
  });
  hostile.attack({ call: watch });
  ada = await createOrganisation({ ...options('ada'), relayUrl: hostile.url, handle: 'ada' });
  const file = await openFileDeviceStore({ home: joinPath(folder, 'bo'), passphrase: 'bo has a passphrase' });
  bo = await joined('bo', { store: file });
  cy = await join({ ...boxes('cy'), link: await ada.invite(), handle: 'cy' });
  dee = await joined('dee');
}, 120_000);

afterAll(async () => {
  for (const device of [ada, bo, cy, dee]) await device.close().catch(() => {});
  await hostile.close();
  await relay.close();
  await rm(folder, { recursive: true, force: true });
});

describe('two devices that hold sessions, and one that does not', () => {
  test('write in sessions where both can, and in boxes where one cannot', async () => {
    await ada.direct.send(bo.member, { text: SECRET });
    await shows(bo, ada, [SECRET]);
    await bo.direct.send(ada.member, { text: 'understood' });
    await shows(ada, bo, [SECRET, 'understood']);
    await ada.direct.send(bo.member, { text: 'and now?' });
    await shows(bo, ada, [SECRET, 'understood', 'and now?']);
    await ada.direct.send(cy.member, { text: 'to you, too' });
    await shows(cy, ada, ['to you, too']);
    await cy.direct.send(bo.member, { text: 'hello bo' });
    await shows(bo, cy, ['hello bo']);
    expect([...kindsFrom(ada, bo), ...kindsFrom(bo, ada)].toSorted()).toEqual([
      'session',
      'session',
      'session-start',
    ]);
    expect([...kindsFrom(ada, cy), ...kindsFrom(cy, bo)]).toEqual(['box', 'box']);
  });

  test('a session outlives a restart, and its device is not opened without', async () => {
    await ada.close();
    await expect(connect(boxes('ada'))).rejects.toMatchObject({ code: 'sessions-needed' });
    ada = await connect(options('ada'));
    await bo.direct.send(ada.member, { text: 'while you were away' });
    await shows(ada, bo, ['while you were away']);
    await ada.direct.send(bo.member, { text: 'I am back' });
    await shows(bo, ada, ['I am back']);
    expect(kindsFrom(ada, bo).filter((kind) => kind === 'session-start')).toHaveLength(1);
    expect([ada, bo].flatMap((device) => device.direct.unreadable)).toEqual([]);
  });

  test('whoever was made without them stays with boxes', async () => {
    await cy.close();
    cy = await connect(options('cy'));
    await cy.direct.send(ada.member, { text: 'as ever' });
    await shows(ada, cy, ['as ever']);
    expect(new Set(kindsFrom(cy, ada))).toEqual(new Set(['box']));
  });
});

describe('a relay that cheats', () => {
  test('nothing it does to pre-keys makes a sender write a box, or to somebody else: it waits, and says why', async () => {
    let foreign: Offer | null = null;
    const peek = offering(bo, (given) => (foreign = given));
    await dee.direct.send(bo.member, { text: 'from dee' });
    await shows(bo, dee, ['from dee']);
    peek();
    const attacks: [string, (given: Offer) => unknown][] = [
      ['no-pre-keys', () => null],
      ['bad-signature', () => foreign],
      ['bad-signature', (given) => ({ ...given, oneTime: foreign?.oneTime })],
      ['bad-signature', (given) => ({ ...given, bundle: flipped(given.bundle) })],
      ['malformed', (given) => ({ ...given, bundle: shortened(given.bundle) })],
      ['relay-misbehaved', () => ({ bundle: 'no bytes at all' })],
    ];
    const lines: string[] = [];
    for (const [code, answer] of attacks) {
      let asked = 0;
      const relent = offering(dee, (given) => {
        asked += 1;
        return answer(given);
      });
      lines.push(`line ${lines.length}`);
      await ada.direct.send(dee.member, { text: lines.at(-1) });
      await expect.poll(() => [asked > 0, refusedFor(ada, dee)], { timeout: 30_000 }).toEqual([true, code]);
      relent();
    }
    expect(kindsFrom(ada, dee)).toEqual([]);
    expect(ada.direct.waiting).toBe(lines.length);
    await ada.direct.send(dee.member, { text: 'at last' });
    await shows(dee, ada, [...lines, 'at last']);
    expect(kindsFrom(ada, dee)).toEqual([...lines, ''].map(() => 'session-start'));
    expect([refusedFor(ada, dee), ada.direct.waiting]).toEqual([null, 0]);
    expect(texts(bo, ada)).not.toContain(lines[0]);
  });

  test('one pair of pre-keys for two senders: the second starts anew', async () => {
    const eve = await joined('eve');
    let first: Offer | null = null;
    let asked = 0;
    const relent = offering(eve, (given) => {
      asked += 1;
      first ??= given;
      return asked <= 2 ? first : given;
    });
    await ada.direct.send(eve.member, { text: 'first' });
    await shows(eve, ada, ['first']);
    await bo.direct.send(eve.member, { text: 'second' });
    await expect
      .poll(() => eve.direct.unreadable.map(({ code }) => code), { timeout: 30_000 })
      .toEqual(['session-lost']);
    relent();
    await shows(eve, bo, ['second']);
    expect(texts(eve, bo)).toEqual(['second']);
    await eve.close();
  });

  test('a box of a device that holds sessions shows nothing, whoever has sealed it', async () => {
    const relent = hostile.attack({
      victim: dee.device,
      async call(call, forward) {
        if (call.method !== 'POST' || !call.path.endsWith('/mail')) return forward(call);
        return forward({ ...call, body: { ...(call.body as object), message: await boxFromDee() } });
      },
    });
    await dee.direct.send(ada.member, { text: 'in a session' });
    await expect
      .poll(() => ada.direct.unreadable.map(({ code }) => code), { timeout: 30_000 })
      .toEqual(['downgraded']);
    relent();
    expect(texts(ada, dee)).not.toContain('in a box');
  });

  /** As with dee's keys, by somebody who says that neither can hold sessions. */
  async function boxFromDee(): Promise<string> {
    const { end, to } = await endOfDee(0);
    const said = encodeCbor([1, nodeRandom(16), idBytes(ada.member), clock.now(), { text: 'in a box' }]);
    return toBase64Url(await boxChannel(end, to).seal(said, () => []));
  }

  test('a log that says of a device that it holds none is no log', async () => {
    const link = await ada.invite();
    let changed = 0;
    const stripped = forgeMembershipLog(hostile, inviteOf(link), (wires) =>
      wires.map((wire) => {
        const without = withoutAbility(wire);
        changed += toHex(without) === toHex(wire) ? 0 : 1;
        return without;
      }),
    );
    const late = { ...options('late'), link, handle: 'late' };
    await expect(join(late)).rejects.toMatchObject({ code: 'relay-forked' });
    expect(changed).toBeGreaterThan(0);
    stripped();
  });
});

describe('a device that has lost its sessions', () => {
  /** dee comes back without what was under this name; where that was all, with new pre-keys. */
  async function forgetful(what: '' | 'session/'): Promise<void> {
    await dee.close();
    const { keys } = storeOf('dee');
    await keys.write((await keys.names(`libsignal/${what}`)).map((name) => ({ name, value: null })));
    published.clear();
    dee = await connect(options('dee'));
    if (what === '') await expect.poll(() => published.has(dee.device), { timeout: 30_000 }).toBe(true);
  }

  test('asks for what it cannot open, and gets it; with old pre-keys nothing starts', async () => {
    let old: Offer | null = null;
    const peek = offering(dee, (given) => (old = given));
    await forgetful('');
    await ada.direct.send(dee.member, { text: 'do you remember?' });
    await shows(dee, ada, ['do you remember?']);
    await dee.direct.send(ada.member, { text: 'I do' });
    await shows(ada, dee, ['I do']);
    peek();
    // Asked for within a minute, and yet asked for again.
    await forgetful('session/');
    await ada.direct.send(dee.member, { text: 'and once more' });
    await expect
      .poll(() => dee.direct.unreadable.map(({ code }) => code), { timeout: 30_000 })
      .toEqual(['session-lost']);
    clock.leap(60_000);
    await shows(dee, ada, ['and once more']);
    clock.leap(60_000);
    await forgetful('');
    await ada.direct.send(dee.member, { text: 'again' });
    await shows(dee, ada, ['again']);
    clock.leap(60_000);
    const replayed = offering(dee, () => old);
    await forgetful('');
    await ada.direct.send(dee.member, { text: 'a third time' });
    await expect.poll(() => refusedFor(ada, dee), { timeout: 30_000 }).toBe('stale-bundle');
    expect(texts(dee, ada)).not.toContain('a third time');
    replayed();
    clock.leap(30_000);
    await ada.direct.send(bo.member, { text: 'by the way' });
    await shows(dee, ada, ['a third time']);
    expect(texts(dee, ada).filter((text) => text === 'do you remember?')).toHaveLength(1);
  });
});

describe('a device that asks for what it has', () => {
  test('is believed now and then only, and nobody else has to wait for it', async () => {
    clock.leap(60_000);
    const notices: string[] = [];
    const replacing = hostile.attack({
      victim: dee.device,
      async call(call, forward) {
        if (call.method !== 'POST' || !call.path.endsWith('/mail')) return forward(call);
        const message = notices.shift();
        // What dee says to have opened is lost.
        return message === undefined
          ? { status: 201, body: {} }
          : forward({ ...call, body: { ...(call.body as object), message } });
      },
    });
    await ada.direct.send(dee.member, { text: 'here it is' });
    await shows(dee, ada, ['here it is']);
    const wire = posted.findLast(({ from, to }) => from === ada.device && to === dee.device)?.wire;
    const startMs = clock.now();
    let asked = 0;
    const withholding = offering(dee, () => {
      asked += 1;
      return null;
    });
    for (let at = 0; at < 5; at += 1) notices.push(await noticeFromDee(wire as Uint8Array));
    for (const notice of [...notices]) await dee.direct.send(ada.member, { text: notice });
    await expect.poll(() => notices.length, { timeout: 12_000 }).toBe(0);
    await expect.poll(() => refusedFor(ada, dee), { timeout: 12_000 }).toBe('no-pre-keys');
    await ada.direct.send(bo.member, { text: 'nobody waits' });
    await shows(bo, ada, ['nobody waits']);
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(1 + Math.floor((clock.now() - startMs) / 30_000));
    replacing();
    withholding();
    clock.leap(60_000);
    await expect.poll(() => refusedFor(ada, dee), { timeout: 12_000 }).toBe(null);
    await ada.direct.send(dee.member, { text: 'as before' });
    await shows(dee, ada, ['as before']);
  });

  /** With dee's keys, by somebody who has lost a message. */
  async function noticeFromDee(wire: Uint8Array): Promise<string> {
    const { end, to } = await endOfDee(1);
    const channel = signalChannel(end, { ...to, fetchOffer: () => Promise.reject(new Error()) }, clock.now);
    await expect(channel.open(wire, () => [])).rejects.toMatchObject({ code: 'session-lost' });
    return toBase64Url((await channel.sealNotice(() => [])) as Uint8Array);
  }
});

describe('what is over', () => {
  test('is gone with the retention window: what was sent, and sessions that nobody used', async () => {
    const { keys } = storeOf('dee');
    const has = async (what: string) => (await keys.names(`libsignal/${what}/`)).length > 0;
    await dee.direct.send(ada.member, { text: 'for a month' });
    await shows(ada, dee, ['for a month']);
    expect([await has('sent'), await has('session')]).toEqual([true, true]);
    clock.leap(ada.policy.retentionSeconds * 1000 + DAY_MS);
    await dee.close();
    dee = await connect(options('dee'));
    await expect
      .poll(async () => [await has('sent'), await has('session')], { timeout: 30_000 })
      .toEqual([false, false]);
    await Promise.all([ada.online(), dee.online()]);
    await ada.direct.send(dee.member, { text: 'a month later' });
    await expect
      .poll(() => dee.direct.unreadable.map(({ code }) => code), { timeout: 30_000 })
      .toEqual(['session-lost']);
    // By then both have keys again that a notice can be sealed to.
    clock.leap(15_000);
    await shows(dee, ada, ['a month later']);
  });

  test('nothing is left of a member who is removed, and no word of it was seen on the way', async () => {
    const { keys } = storeOf('ada');
    const ofDee = async () => (await keys.names('libsignal/')).filter((name) => name.includes(dee.device));
    expect(await ofDee()).not.toEqual([]);
    await ada.removeMember(dee.member);
    await ada.direct.send(bo.member, { text: 'dee has left' });
    await expect.poll(ofDee, { timeout: 30_000 }).toEqual([]);
    const sent = concatBytes(...hostile.traffic);
    expect(findHidden(sent, new Map([['secret', encodeUtf8(SECRET) as Uint8Array]]))).toEqual([]);
  });
});

/** An end of dee's for channels to ada, in a store of its own. */
async function endOfDee(abilities: number) {
  const [signingSeed] = await seedsIn(storeOf('dee'));
  const signer = primitives.signer(signingSeed);
  const wires = await (await storeOf('ada').journal('membership')).read(0);
  const { org, devices } = replay(primitives, wires);
  const record = devices.get(ada.device) as DirectoryDevice;
  const end = pairwiseEndpoint({
    primitives,
    random: nodeRandom,
    org,
    store: memoryKeyStore(),
    signer,
    record: { signingPublicKey: signer.publicKey, abilities },
    sealingKey: () => null,
  });
  return { end, to: { record, encapsulator: primitives.encapsulator(record.sealing.publicKey) } };
}

function shortened(text: string): string {
  return toBase64Url((fromBase64Url(text) as Uint8Array).slice(0, -1));
}

function flipped(text: string): string {
  const last = text.at(-9) as string;
  return `${text.slice(0, -9)}${last === 'A' ? 'B' : 'A'}${text.slice(-8)}`;
}

/** The entry with 0 for the abilities of its device record, CBOR `[1, suite, key, abilities]`. */
function withoutAbility(wire: Uint8Array): Uint8Array {
  return fromHex(toHex(wire).replace(/(8401015820[0-9a-f]{64})01/, '$100')) as Uint8Array;
}
