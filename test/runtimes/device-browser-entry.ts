import {
  ClientError,
  connect,
  createOrganisation,
  join,
  type Client,
  type DeviceStore,
} from '@keytide/client';
import { browserPorts, openBrowserDeviceStore } from '@keytide/client/browser';
import { CryptoError } from '@keytide/crypto-core';
import { journalChecks } from '@keytide/testkit/journal';
import { openIndexedRows } from '../../packages/client/src/browser/indexed-rows.ts';
import { deviceDefinition } from './device-definition.ts';
import { mountApp, type MountedApp } from './device-react-app.ts';

type Device = Client<typeof deviceDefinition>;

const ports = await browserPorts();
let store: DeviceStore | null = null;
let client: Device | null = null;
let app: MountedApp | null = null;

function opened<T>(value: T | null): T {
  if (value === null) throw new Error('not open in this page');
  return value;
}

async function open(name: string, wait = false): Promise<DeviceStore> {
  return await openBrowserDeviceStore({ name, wait, primitives: ports.primitives, random: ports.random });
}

/** The code that `act` rejects with, or `null`. */
async function codeOf(act: () => Promise<unknown>): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    return error instanceof ClientError || error instanceof CryptoError ? error.code : String(error);
  }
}

const definition = deviceDefinition;

/** What tests call in the page; all of it takes and gives plain data. */
const devicePage = {
  async runJournalChecks(): Promise<{ passed: string[]; failed: string[] }> {
    const report = { passed: [] as string[], failed: [] as string[] };
    let count = 0;
    for (const { name, check } of journalChecks) {
      const place = `checks-${(count += 1)}`;
      let held: DeviceStore | null = null;
      const reopen = async () => {
        await held?.close();
        held = await open(place);
        return held.journal('group');
      };
      await check({ create: reopen, open: reopen }).then(
        () => report.passed.push(name),
        (error: unknown) => report.failed.push(`${name}: ${String(error)}`),
      );
    }
    return report;
  },
  openStore: (name: string, wait: boolean) =>
    codeOf(async () => {
      store = await open(name, wait);
    }),
  create: (relayUrl: string) =>
    codeOf(async () => {
      const entered = { definition, ports, store: opened(store) };
      client = await createOrganisation({ ...entered, relayUrl, handle: 'ada' });
      await client.online();
    }),
  join: (link: string) =>
    codeOf(async () => {
      client = await join({ definition, ports, store: opened(store), link, handle: 'bo' });
      await client.online();
    }),
  connect: () =>
    codeOf(async () => {
      client = await connect({ definition, ports, store: opened(store) });
    }),
  online: () => codeOf(() => opened(client).online()),
  invite: () => opened(client).invite(),
  say: (text: string) =>
    codeOf(async () => {
      await opened(client).collections.chat.append({ text });
    }),
  settled: () => codeOf(() => opened(client).settled()),
  texts: async () =>
    opened(client)
      .collections.chat.read()
      .map(({ body }) => body.text),
  waiting: async () => opened(client).waiting,
  pause: async () => opened(client).pause(),
  close: () => codeOf(() => opened(client).close()),
  closeStore: () => codeOf(() => opened(store).close()),
  destroy: () => codeOf(() => opened(store).destroy()),
  wasDestroyed: () => opened(store).wasDestroyed(),
  /** Leaves a store as a crash in the middle of its destruction does: the mark is there, and all else. */
  async crashDestroying(name: string): Promise<void> {
    const rows = await openIndexedRows(name);
    await rows.append('!wiped', 0, [Uint8Array.of(1)]);
    rows.close();
  },
  /** Appends records to a journal until the page ends, and tells each one that was flushed. */
  async appendForever(first: number): Promise<void> {
    const { acknowledge } = globalThis as unknown as { acknowledge(count: number): Promise<void> };
    const journal = await opened(store).journal('group');
    for (let count = first; ; count += 1) {
      await journal.append([
        Uint8Array.of(count >> 8, count & 255),
        new Uint8Array(20_000).fill(count & 255),
      ]);
      if (count % 3 !== 0) continue;
      await journal.flush();
      await acknowledge(count);
    }
  },
  journal: async () => {
    const records = await (await opened(store).journal('group')).read(0);
    return records.map((record) =>
      record.length === 2 ? ((record[0] as number) << 8) | (record[1] as number) : -1,
    );
  },
  mount: async () => {
    app = mountApp(opened(client));
  },
  unmount: async () => opened(app).unmount(),
  shown: async () => opened(app).shown(),
  renders: async () => opened(app).renders(),
  select: async (id: string) => opened(app).select(id),
};

/** What the page offers, for the calls of a test. */
export type DevicePage = typeof devicePage;
Object.assign(globalThis, { devicePage });
