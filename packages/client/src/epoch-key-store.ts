import {
  concatBytes,
  Secret,
  uint64Bytes,
  type EpochStatement,
  type GroupId,
  type KeyStore,
  type KeyStoreChange,
} from '@keytide/crypto-core';
import { ClientError } from './errors.ts';

type Dated = Pick<EpochStatement, 'epoch' | 'blockEndMs'>;

const KEY_BYTES = 32;

/**
 * The keys of one group's epochs that this device holds, each stored with the time its block ends: what is over is
 * found without any log. An entry: key [32] ‖ block end in ms, u64 big-endian.
 */
export class EpochKeyStore {
  readonly #keyStore: KeyStore;
  readonly #prefix: string;
  readonly #ends: Map<number, number>;

  private constructor(keyStore: KeyStore, prefix: string, ends: Map<number, number>) {
    this.#keyStore = keyStore;
    this.#prefix = prefix;
    this.#ends = ends;
  }

  /** Reads which keys there are. @throws ClientError `store-damaged` */
  static async open(keyStore: KeyStore, group: GroupId): Promise<EpochKeyStore> {
    const prefix = `epoch/${group}/`;
    const ends = new Map<number, number>();
    for (const name of await keyStore.names(prefix)) {
      const stored = await keyStore.get(name);
      if (stored === null) continue;
      ends.set(Number(name.slice(prefix.length)), endIn(stored));
      stored.fill(0);
    }
    return new EpochKeyStore(keyStore, prefix, ends);
  }

  /** When the next of the blocks ends whose keys are here; `null` without any. */
  get firstEndMs(): number | null {
    return this.#ends.size === 0 ? null : Math.min(...this.#ends.values());
  }

  /** An epoch's key, 32 bytes, the caller's own; `null` when it is not here. */
  async get(epoch: number): Promise<Secret | null> {
    const stored = this.#ends.has(epoch) ? await this.#keyStore.get(`${this.#prefix}${epoch}`) : null;
    if (stored === null) return null;
    const key = stored.slice(0, KEY_BYTES);
    stored.fill(0);
    return Secret.own(key);
  }

  /** Keeps keys, all or none; durable when it resolves. */
  async add(keys: readonly { readonly statement: Dated; readonly key: Secret }[]): Promise<void> {
    const batch = keys.map(({ statement, key }) => {
      const value = key.use((bytes) => concatBytes(bytes, uint64Bytes(statement.blockEndMs)));
      return { name: `${this.#prefix}${statement.epoch}`, value };
    });
    await this.#keyStore.write(batch);
    for (const { value } of batch) value.fill(0);
    for (const { statement } of keys) this.#ends.set(statement.epoch, statement.blockEndMs);
  }

  /** Deletes, for good and in one write with `also`, every key whose block has ended by `ms`. `false`: there was none. */
  async deleteEndedBy(ms: number, also: readonly KeyStoreChange[]): Promise<boolean> {
    const over = [...this.#ends].filter(([, endMs]) => endMs <= ms).map(([epoch]) => epoch);
    if (over.length === 0) return false;
    const deletions = over.map((epoch) => ({ name: `${this.#prefix}${epoch}`, value: null }));
    await this.#keyStore.write([...deletions, ...also]);
    for (const epoch of over) this.#ends.delete(epoch);
    return true;
  }
}

function endIn(stored: Uint8Array): number {
  if (stored.length !== KEY_BYTES + 8)
    throw new ClientError('store-damaged', 'a stored epoch key is not one');
  const view = new DataView(stored.buffer, stored.byteOffset + KEY_BYTES, 8);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}
