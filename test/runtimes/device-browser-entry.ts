import {
  ClientError,
  connect,
  createOrganisation,
  join,
  type Client,
  type DeviceStore,
  type Ports,
} from '@keytide/client';
import { browserPorts, openBrowserDeviceStore } from '@keytide/client/browser';
import { CryptoError } from '@keytide/crypto-core';
import { journalChecks, leaseChecks } from '@keytide/testkit/journal';
import { openIndexedRows } from '../../packages/client/src/browser/indexed-rows.ts';
import { copyStore, keptKeys } from './device-databases.ts';
import { deviceDefinition } from './device-definition.ts';
import { mountApp, type MountedApp } from './device-react-app.ts';

type Device = Client<typeof deviceDefinition>;

const runtime = await browserPorts();
/** By how much this page's clock has leapt, as that of a device which slept. */
let leaptMs = 0;
const now = (): number => Date.now() + leaptMs;
const ports: Ports = {
  ...runtime,
  clock: {
    now,
    async wait(ms, signal) {
      for (const untilMs = now() + ms; now() < untilMs && signal?.aborted !== true;)
        await runtime.clock.wait(Math.min(100, untilMs - now()), signal);
    },
  },
};
/** An Argon2id that costs nothing. */
const kdf = { memoryKiB: 8, passes: 1, parallelism: 1 };
let store: DeviceStore | null = null;
let client: Device | null = null;
let app: MountedApp | null = null;

function opened<T>(value: T | null): T {
  if (value === null) throw new Error('not open in this page');
  return value;
}

async function open(name: string, wait = false, passphrase?: string): Promise<DeviceStore> {
  const { primitives, random } = ports;
  return await openBrowserDeviceStore({
    ...{ name, wait, primitives, random, ports },
    ...(passphrase !== undefined && { passphrase, kdf }),
  });
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

/** A connection to a database, whose type is not part of this project. */
interface RawConnection {
  readonly name: string;
  transaction(...asked: unknown[]): unknown;
}

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
  async runLeaseChecks(): Promise<{ passed: string[]; failed: string[] }> {
    const report = { passed: [] as string[], failed: [] as string[] };
    let count = 0;
    for (const { name, check } of leaseChecks) {
      const place = `lease-checks-${(count += 1)}`;
      const { primitives, random } = ports;
      const openWith = (passphrase: string) => (network: Pick<Ports, 'fetch' | 'clock'>) =>
        openBrowserDeviceStore({ name: place, primitives, random, passphrase, kdf, ports: network });
      await check({ open: openWith('2849'), openWrongly: openWith('0000') }).then(
        () => report.passed.push(name),
        (error: unknown) => report.failed.push(`${name}: ${String(error)}`),
      );
    }
    return report;
  },
  leap: async (ms: number) => {
    leaptMs += ms;
  },
  needsShare: async () => opened(store).lease?.vault.needsUnlockShare,
  device: async () => opened(client).device,
  state: async () => opened(client).state.kind,
  copyStore,
  keptKeys,
  openStore: (name: string, wait: boolean, passphrase?: string) =>
    codeOf(async () => {
      store = await open(name, wait, passphrase);
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
  /** What a key says after its store was to be destroyed in a browser that answers nothing any more. */
  keyAfterFailedDestroy: async () => {
    const { IDBDatabase } = globalThis as unknown as { IDBDatabase: { prototype: { transaction: unknown } } };
    IDBDatabase.prototype.transaction = () => {
      throw new Error('the disk is broken');
    };
    const code = await codeOf(() => opened(store).destroy());
    return [code, await codeOf(() => opened(store).keys.get('kept'))];
  },
  /** Destroys a store in a browser that has lost the connection to its vault, and only that. */
  destroyWithoutVault: async (name: string) => {
    const { IDBDatabase } = globalThis as unknown as { IDBDatabase: { prototype: RawConnection } };
    const { prototype } = IDBDatabase;
    const { transaction } = prototype;
    prototype.transaction = function lost(this: RawConnection, ...asked: unknown[]) {
      if (this.name !== `keytide/${name}`) return transaction.apply(this, asked);
      prototype.transaction = transaction;
      throw new Error('connection lost');
    };
    return [await codeOf(() => opened(store).destroy()), prototype.transaction === transaction];
  },
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
