import {
  decodeCbor,
  encodeCbor,
  type CborValue,
  type GroupId,
  type KeyStore,
  type KeyStoreChange,
} from '@keytide/crypto-core';
import type { Draft } from './draft.ts';
import { ClientError } from './errors.ts';

/** What this device has said in an epoch that the relay has lost. */
export interface UnsealedDraft extends Draft {
  readonly replaces: number;
  /** When the block of that epoch ends: what it is deleted by. */
  readonly endMs: number;
}

const MAX_BYTES = 512 * 1024;

/**
 * What this device has said and is yet to be sealed anew, where the relay has lost every epoch that it could be sealed
 * in (docs/spec/timeline.md): durable in the key store, as no journal holds anything that is not sealed. `unsealed/GROUP`:
 * the newest counter that this stands for, CBOR; `unsealed/GROUP/COUNTER`: CBOR `[channel, payload, endMs]`.
 */
export class Unsealed {
  readonly #keyStore: KeyStore;
  readonly #name: string;
  #through: number;
  #drafts: readonly UnsealedDraft[];

  private constructor(keyStore: KeyStore, name: string, through: number, drafts: readonly UnsealedDraft[]) {
    this.#keyStore = keyStore;
    this.#name = name;
    this.#through = through;
    this.#drafts = drafts;
  }

  /** Reads what is stored. @throws ClientError `store-damaged` */
  static async open(keyStore: KeyStore, group: GroupId): Promise<Unsealed> {
    const name = `unsealed/${group}`;
    const stored = await keyStore.get(name);
    const drafts: UnsealedDraft[] = [];
    for (const one of await keyStore.names(`${name}/`)) {
      const draft = readDraft(await keyStore.get(one), Number(one.slice(name.length + 1)));
      drafts.push(draft);
    }
    drafts.sort((a, b) => a.replaces - b.replaces);
    return new Unsealed(keyStore, name, stored === null ? -1 : (decodeCbor(stored, 16) as number), drafts);
  }

  get size(): number {
    return this.#drafts.length;
  }

  /** In the order in which they were said. */
  get drafts(): readonly UnsealedDraft[] {
    return this.#drafts;
  }

  /** What this device said up to this counter is here, or was said again, or is not to be. */
  get through(): number {
    return this.#through;
  }

  /** What to write so that these are kept, in place of everything that this device said up to `through`. */
  change(through: number, drafts: readonly UnsealedDraft[]): readonly KeyStoreChange[] {
    return [
      ...this.#deletion(this.#drafts),
      { name: this.#name, value: encodeCbor(through) },
      ...drafts.map(({ replaces, channel, payload, endMs }) => ({
        name: `${this.#name}/${replaces}`,
        value: encodeCbor([channel, payload, endMs]),
      })),
    ];
  }

  /** `change` is written. */
  keep(through: number, drafts: readonly UnsealedDraft[]): void {
    this.#through = through;
    this.#drafts = drafts;
  }

  /** Deletes what makes `test` true: it is sealed and durable, or over. Answers how many there were. */
  async forget(test: (draft: UnsealedDraft) => boolean): Promise<number> {
    const gone = this.#drafts.filter(test);
    if (gone.length === 0) return 0;
    await this.#keyStore.write(this.#deletion(gone));
    this.#drafts = this.#drafts.filter((draft) => !gone.includes(draft));
    return gone.length;
  }

  #deletion(drafts: readonly UnsealedDraft[]): readonly KeyStoreChange[] {
    return drafts.map(({ replaces }) => ({ name: `${this.#name}/${replaces}`, value: null }));
  }
}

/** @throws ClientError `store-damaged` */
function readDraft(stored: Uint8Array | null, replaces: number): UnsealedDraft {
  const value: CborValue = stored === null ? null : decodeCbor(stored, MAX_BYTES);
  const [channel, payload, endMs] = Array.isArray(value) ? value : [];
  if (!(channel instanceof Uint8Array) || !(payload instanceof Uint8Array) || typeof endMs !== 'number')
    throw new ClientError('store-damaged', 'a stored message that is yet to be sealed is not one');
  return { channel, payload, replaces, endMs };
}
