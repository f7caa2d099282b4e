import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  sensitive,
  type Client,
} from '@keytide/client';
import { nodePorts, openFileDeviceStore } from '@keytide/client/node';
import { concatBytes } from '@keytide/crypto-core';
import { decodeClientFrame, type ClientFrame } from '@keytide/relay-protocol';
import { startRelay, type Relay } from '@keytide/server-relay';
import { folderDatabase } from '@keytide/testkit';
import { hostileRelay, type HostileRelay } from '@keytide/testkit/hostile-relay';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { findHidden } from './hidden-forms.ts';

const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string().min(1) })),
  places: sensitive.live(z.object({ lat: z.number(), place: z.string() }), {
    maxAgeMs: 4_000,
    minIntervalMs: 1_000,
  }),
});
type Device = Client<typeof definition>;

const PLACE = 'north bank of the river Ister';
const CHAT = 'a message that is stored';
let folder: string;
let relay: Relay;
/** Carries everything, and so has every frame that passed. */
let carrier: HostileRelay;
let ada: Device;
let bo: Device;
let cy: Device;
const events: unknown[] = [];

const storeOf = (name: string) =>
  openFileDeviceStore({ home: joinPath(folder, name), passphrase: `${name} has a passphrase` });
const options = async (name: string) => ({ definition, ports: nodePorts, store: await storeOf(name) });

/** The first set of values that `fits`. */
async function sees(device: Device, fits: (places: string[]) => boolean): Promise<string[]> {
  for await (const items of device.collections.places.follow(AbortSignal.timeout(45_000))) {
    const places = items.map(({ handle, body }) => `${handle}: ${body.place}`);
    if (fits(places)) return places;
  }
  throw new Error('waited in vain');
}

beforeAll(async () => {
  folder = await mkdtemp(joinPath(tmpdir(), 'keytide live location '));
  carrier = await hostileRelay({
    async target(publicUrl) {
      const database = folderDatabase(joinPath(folder, 'relay'));
      relay = await startRelay({ database, port: 0, publicUrl, log: (event) => void events.push(event) });
      return relay.url;
    },
  });
  ada = await createOrganisation({ ...(await options('ada')), relayUrl: carrier.url, handle: 'ada' });
  await ada.online();
  bo = await join({ ...(await options('bo')), link: await ada.invite(), handle: 'bo' });
  cy = await join({ ...(await options('cy')), link: await ada.invite(), handle: 'cy' });
  await Promise.all([bo.online(), cy.online()]);
}, 120_000);

afterAll(async () => {
  await closeAll();
  await rm(folder, { recursive: true, force: true });
});

/** Says it now and every second, as an app does: what is lost on the way, the next one says. */
function keepsSaying(device: Device, place: string): () => void {
  const say = (): void => void device.collections.places.publish({ lat: 48.2, place }).catch(() => {});
  say();
  const timer = setInterval(say, 1_000);
  return () => clearInterval(timer);
}

describe('three people on the move', () => {
  test('see where the others are, of each the latest', async () => {
    await ada.collections.chat.append({ text: CHAT });
    const stops = [keepsSaying(ada, 'the depot'), keepsSaying(bo, 'the bridge')];
    expect((await sees(cy, (places) => places.length === 2)).toSorted()).toEqual([
      'ada: the depot',
      'bo: the bridge',
    ]);
    for (const stop of stops) stop();
    const stop = keepsSaying(ada, PLACE);
    const moved = await sees(cy, (places) => places.some((text) => text.includes(PLACE)));
    stop();
    expect(moved.filter((text) => text.startsWith('ada'))).toEqual([`ada: ${PLACE}`]);
    // One's own place is nothing that one has to be told.
    expect(ada.collections.places.current().map(({ handle }) => handle)).not.toContain('ada');
  });

  test('no longer see who says nothing any more', async () => {
    await sees(cy, (places) => places.length === 0);
    expect(cy.collections.places.current()).toEqual([]);
  });

  test('see nothing of before when they come back', async () => {
    await cy.close();
    const stop = keepsSaying(bo, 'the bridge, again');
    await sees(ada, (places) => places.length === 1);
    stop();
    cy = await connect(await options('cy'));
    await cy.online();
    expect(cy.collections.places.current()).toEqual([]);
    const stopAgain = keepsSaying(bo, 'the mill');
    expect(await sees(cy, (places) => places.length === 1)).toEqual(['bo: the mill']);
    stopAgain();
  });

  test('see nobody who was removed, and are not seen', async () => {
    const gone = bo.member;
    await ada.removeMember(gone);
    await expect.poll(() => bo.state.kind, { timeout: 20_000 }).toBe('stopped');
    await expect.poll(() => cy.members().length, { timeout: 20_000 }).toBe(2);
    expect(cy.collections.places.current().filter(({ member }) => member === gone)).toEqual([]);
    const stops = [keepsSaying(bo, 'outside'), keepsSaying(ada, 'the new depot')];
    expect(await sees(cy, (places) => places.length === 1)).toEqual(['ada: the new depot']);
    for (const stop of stops) stop();
    expect(bo.collections.places.current()).toEqual([]);
  });
});

describe('when all is closed', () => {
  let bytes: Uint8Array;
  const live: Uint8Array[] = [];
  const stored: Uint8Array[] = [];

  beforeAll(async () => {
    for (const sent of carrier.traffic) {
      const frame = frameIn(sent);
      if (frame?.type === 'ephemeral') live.push(frame.frame);
      if (frame?.type === 'append') stored.push(...frame.items.map(({ envelope }) => envelope));
    }
    await ada.settled();
    await closeAll();
    const log = new TextEncoder().encode(JSON.stringify(events));
    bytes = concatBytes(log, ...(await everyFileIn(folder)));
  }, 60_000);

  /** The middle of some bytes, which nothing else has. */
  const needles = (all: readonly Uint8Array[], from: number, to: number) =>
    new Map(all.map((each, i) => [`${i}`, each.slice(from, to)]));

  test('neither the relay nor a device has anything of it on a disk', () => {
    expect(live.length).toBeGreaterThan(4);
    const place = new Map([['place', new TextEncoder().encode(PLACE)]]);
    // The session's name, which stands in the clear, and the beginning of what is sealed.
    for (const wanted of [place, needles(live, 14, 30), needles(live, 34, 66)])
      expect(findHidden(bytes, wanted)).toEqual([]);
  });

  test('the search would have found it: what is stored is there, on both sides', () => {
    expect(stored.length).toBeGreaterThan(0);
    expect(findHidden(bytes, needles(stored, 100, 132))).toHaveLength(stored.length);
  });
});

function frameIn(sent: Uint8Array): ClientFrame | null {
  try {
    return decodeClientFrame(sent);
  } catch {
    return null; // an HTTP call, or a frame of the relay
  }
}

let isClosed = false;

async function closeAll(): Promise<void> {
  if (isClosed) return;
  isClosed = true;
  for (const device of [ada, bo, cy]) await device?.close();
  await carrier?.close();
  await relay?.close();
}

async function everyFileIn(parent: string): Promise<Uint8Array[]> {
  const entries = await readdir(parent, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(files.map((file) => readFile(joinPath(file.parentPath, file.name))));
}
