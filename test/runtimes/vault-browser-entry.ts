import { CryptoError, fromHex, Secret, toHex, type KeyStore } from '@keytide/crypto-core';
import {
  browserPrimitives,
  browserRandom,
  eraseBrowserKeyStore,
  openBrowserKeyStore,
  type BrowserKeyStoreOptions,
} from '@keytide/crypto-core/browser';
import { flipRawBit, putRawVault, rawRecords, removeRawRecord } from './vault-raw-records.ts';
import { runKeyStoreChecks, type VaultReport } from './vault-checks.ts';

const primitives = await browserPrimitives();
const QUICK_KDF = { memoryKiB: 8, passes: 1, parallelism: 1 };

/** What `watch` looks at; the browser's types are not part of this project. */
declare const IDBDatabase: {
  prototype: {
    transaction(names: string, mode: string, options?: { readonly durability?: string }): unknown;
  };
};
declare const IDBObjectStore: {
  prototype: {
    readonly transaction: { abort(): void };
    put(value: unknown, record: string): unknown;
  };
};
interface AskedNavigator {
  readonly storage: { persist(): Promise<boolean> };
}

/** What a test adds to a page that writes until it ends. */
interface Acknowledging {
  acknowledge(count: number): Promise<void>;
}

/** How a test in Node asks for an opening: plain data. */
export interface Opening {
  readonly name: string;
  readonly create: boolean;
  readonly passphrase?: string;
  readonly unlockShareHex?: string;
  /** Argon2id at the cost of a new vault, not at that of the tests. */
  readonly atFullCost?: boolean;
}

function optionsOf({ unlockShareHex, atFullCost, ...rest }: Opening): BrowserKeyStoreOptions {
  const share = unlockShareHex === undefined ? null : fromHex(unlockShareHex);
  return {
    ...rest,
    primitives,
    random: browserRandom,
    ...(atFullCost === true ? {} : { kdf: QUICK_KDF }),
    ...(share !== null && { unlockShare: Secret.own(share) }),
  };
}

let opened: KeyStore | null = null;
function current(): KeyStore {
  if (opened === null) throw new Error('no vault is open in this page');
  return opened;
}

/** The code that `act` rejects with, or `null`. */
async function codeOf(act: () => Promise<unknown>): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    return error instanceof CryptoError ? error.code : String(error);
  }
}

/** What tests call in the page; all of it takes and gives plain data. */
const vaultPage = {
  async runChecks(): Promise<VaultReport> {
    let count = 0;
    return runKeyStoreChecks(() => {
      const name = `checks/${(count += 1)}`;
      const open = (create: boolean) => openBrowserKeyStore(optionsOf({ name, create }));
      return {
        create: () => open(true),
        open: () => open(false),
        beside: 'shared',
        crash: () => open(false),
        kept: async () => (await rawRecords(name)).bytes,
      };
    });
  },
  /** Opens the vault of this page; the code of the error, or `null`. */
  open: (opening: Opening) =>
    codeOf(async () => {
      opened = await openBrowserKeyStore(optionsOf(opening));
    }),
  close: () => current().close(),
  erase: (name: string) => eraseBrowserKeyStore(name),
  /** Names and values in hex; `null` deletes. */
  write: (batch: Record<string, string | null>) =>
    codeOf(() =>
      current().write(
        Object.entries(batch).map(([name, hex]) => ({ name, value: hex === null ? null : fromHex(hex) })),
      ),
    ),
  /** Writes that many values of that many bytes, one after another; the code of the first error. */
  writeMany: (input: { prefix: string; count: number; sizeBytes: number }) =>
    codeOf(async () => {
      for (let n = 0; n < input.count; n += 1)
        await current().write([{ name: `${input.prefix}${n}`, value: browserRandom(input.sizeBytes) }]);
    }),
  /** Writes batches of three names until the page ends, and tells each one that is durable. */
  async writeForever(first: number): Promise<void> {
    const { acknowledge } = globalThis as unknown as Acknowledging;
    for (let count = first; ; count += 1) {
      const value = Uint8Array.of(count >> 8, count & 255);
      await current().write([
        { name: 'left', value },
        { name: 'bulk', value: browserRandom(20_000) },
        { name: 'right', value },
      ]);
      await acknowledge(count);
    }
  },
  async get(name: string): Promise<string | null> {
    const value = await current().get(name);
    return value && toHex(value);
  },
  getCode: (name: string) => codeOf(() => current().get(name)),
  names: (prefix: string) => current().names(prefix),
  raw: async (name: string) => {
    const { bytes, keys } = await rawRecords(name);
    return { hex: bytes.map(toHex), keys };
  },
  lose: ({ name, record }: { name: string; record: string }) => removeRawRecord(name, record),
  flip: ({ name, at }: { name: string; at: number }) => flipRawBit(name, at),
  putBack: ({ name, hex }: { name: string; hex: string }) =>
    putRawVault(name, fromHex(hex) ?? new Uint8Array(0)),
  /** Lets the browser's put of the nth record fail, or abort its transaction, while it runs `write`. */
  async writeFailing({ at, how }: { at: number; how: 'throws' | 'aborts' }, batch: Record<string, string>) {
    const { prototype } = IDBObjectStore;
    const { put } = prototype;
    let count = 0;
    prototype.put = function (value, record) {
      const isHit = count === at;
      count += 1;
      if (isHit && how === 'throws') throw new Error('the browser fails');
      const request = put.call(this, value, record);
      if (isHit) this.transaction.abort();
      return request;
    };
    const code = await vaultPage.write(batch);
    prototype.put = put;
    return code;
  },
  /** What the browser is asked for while `open` and one writing run. */
  async watch(opening: Opening) {
    const asked: string[] = [];
    const { prototype } = IDBDatabase;
    const { transaction } = prototype;
    prototype.transaction = function (names, mode, options) {
      asked.push(`${mode} ${options?.durability ?? 'default'}`);
      return transaction.call(this, names, mode, options);
    };
    (navigator as unknown as AskedNavigator).storage.persist = async () => {
      asked.push('persist');
      return false;
    };
    await vaultPage.open(opening);
    await vaultPage.write({ a: '01' });
    await vaultPage.close();
    return [...new Set(asked)];
  },
};

/** What the page offers, for the calls of a test. */
export type VaultPage = typeof vaultPage;
Object.assign(globalThis, { vaultPage });
