import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { hybridIdentity, readArchive, readSignedManifest, verifyArchive } from '@keytide/archive';
import { folderDestination } from '@keytide/archive/node';
import { connect, createOrganisation, join, type Ports } from '@keytide/client';
import { decodeCbor } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startRelay, type LogEvent, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentEvent } from '../../packages/cli/src/agent/agent-event.ts';
import { runAgent } from '../../packages/cli/src/agent/agent.ts';
import { exportingDevice } from '../../packages/cli/src/agent/exporting-device.ts';
import { openMemory } from '../../packages/cli/src/agent/state.ts';
import { chatPeople, definition, says, textsOf, type Device, type Person } from './chat-people.ts';
import { leapingClock } from './leaping-clock.ts';

const DAY_MS = 86_400_000;
const DAYS = 8;
/** What nobody has exported stays: nothing is waived. */
const policy = { blockSeconds: 86_400, retentionSeconds: 3 * 86_400, exportSeconds: 5 * 86_400 };
const archiveKey = primitives.decapsulator(new Uint8Array(32).fill(0x29));
const identities = [hybridIdentity(primitives, archiveKey)];
const START_MS = 1_767_225_600_000 + 600_000;
const clock = leapingClock(START_MS);
const people = chatPeople(clock);
const relayEvents: LogEvent[] = [];
const events: AgentEvent[] = [];

let folder: string;
let relay: Relay;
let archivist: Person;
let bo: Person;
let network: 'there' | 'gone' = 'there';

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

beforeAll(async () => {
  folder = await mkdtemp(pathOf(tmpdir(), 'keytide-story-'));
  const log = (event: LogEvent): void => void relayEvents.push(event);
  relay = await startRelay({ database: memoryDatabase(), port: 0, clock, log });
  const founding = { relayUrl: relay.url, handle: 'ada', policy };
  archivist = await people.enters((entered) => createOrganisation({ ...entered, ...founding }), ports);
  await archivist.client.setPolicy((before) => ({ ...before, archiveKey: archiveKey.publicKey }));
  const link = await archivist.client.invite();
  bo = await people.enters((entered) => join({ ...entered, link, handle: 'bo' }));
  await people.leaves(archivist);
});

afterAll(async () => {
  await people.close();
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

/** As the command does: connected, or over at once when there is no network. */
async function online(client: Device): Promise<void> {
  const lost = new Promise<never>((_, reject) => {
    const look = (): void => {
      const { state } = client;
      if (state.kind === 'offline' && state.reason !== null) reject(state.reason);
    };
    client.on('state', look);
    look();
  });
  await Promise.race([client.online(), lost]);
}

test('night after night all is taken out, also what was said while the agent was cut off or stopped', async () => {
  const destinations: [string, string] = [pathOf(folder, 'one'), pathOf(folder, 'two')];
  for (const place of destinations) await mkdir(place);
  let day = 0;
  let stops = 0;
  while (day < DAYS) {
    const stopping = new AbortController();
    await runAgent({
      schedule: { everyMs: DAY_MS, offsetMs: 0 },
      choice: { destinations, needed: 2, acknowledge: 'readable', recipients: [], set: null, fullAfter: 4 },
      memory: await openMemory(pathOf(folder, 'agent.json'), clock.now()),
      time: {
        now: clock.now,
        random: () => 0.5,
        async wait(ms) {
          clock.leap(ms);
          if (clock.now() < START_MS + (day + 1) * DAY_MS) return;
          day += 1;
          network = day === 3 ? 'gone' : 'there';
          await people.sleep(0);
          await says(bo, `day ${day}`);
          await relay.forget();
          if (day === DAYS) stopping.abort();
        },
      },
      signal: stopping.signal,
      tell(event) {
        events.push(event);
        // Just when it was to be verified, on two of the days.
        if (event.event !== 'exported' || stops === 2) return;
        stops += 1;
        stopping.abort(new Error('stopped'));
      },
      codeOf: (error) => String((error as { code?: unknown }).code),
      isFinal: () => false,
      async withDevice(work) {
        const client = await connect({ definition, ports, store: archivist.store });
        try {
          await online(client);
          return await work(exportingDevice(client));
        } finally {
          await client.close();
        }
      },
    });
  }
  expect(stops).toBe(2);
  // A full one, later on, lacks what the device may read no more; what goes on from what was told has the rest.
  expect(new Set(events.flatMap((event) => (event.event === 'failed' ? [event.code] : [])))).toEqual(
    new Set(['offline', 'keys-missing']),
  );
  const { series, failure } = (await openMemory(pathOf(folder, 'agent.json'), clock.now())).state;
  expect([series.pending, failure]).toEqual([[], null]);
});

test('the relay has forgotten what is old; the archives have all of it, in both places', async () => {
  const forgotten = relayEvents.filter((event) => event.event === 'forgotten');
  expect(forgotten.length).toBeGreaterThan(0);
  const { org } = bo.client;
  for (const place of ['one', 'two']) {
    const said = new Map<number, string>();
    for (const name of (await readdir(pathOf(folder, place))).toSorted()) {
      const files = folderDestination(pathOf(folder, place, name));
      const report = await verifyArchive({ primitives, files, org, identities });
      expect(report.verdict).toBe('sound');
      const { manifest } = await readSignedManifest(files);
      for (const { group } of manifest.groups)
        for await (const entry of (await readArchive({ primitives, files, identities })).entries(group)) {
          if (entry.kind !== 'message') continue;
          const [, , , , , , body] = decodeCbor(entry.payload, entry.payload.length) as unknown[];
          said.set(entry.seq, (body as { text: string }).text);
        }
    }
    // The last day's was said after the last night.
    const texts = [...said].toSorted(([a], [b]) => a - b).map(([, text]) => text);
    expect(texts).toEqual(Array.from({ length: DAYS - 1 }, (_, index) => `day ${index + 1}`));
  }
  expect(textsOf(bo).length).toBeLessThan(DAYS);
});
