import { decodeCbor, encodeCbor, type KeyStore } from '@keytide/crypto-core';
import { ClientError } from './errors.ts';

/** What a person has decided about a request: `null` to grant it, or why not. */
export type Decision = { readonly refusal: string | null };

const DECIDED = 'access/decided/';
const MAX_BYTES = 4096;

/** What the person at this admin's device has decided, until it is carried out and its request is gone. */
export class AccessDecisions {
  readonly #keyStore: KeyStore;
  readonly #decided: Map<string, Decision>;

  private constructor(keyStore: KeyStore, decided: Map<string, Decision>) {
    this.#keyStore = keyStore;
    this.#decided = decided;
  }

  /** Reads what is stored. @throws ClientError `store-damaged` */
  static async open(keyStore: KeyStore): Promise<AccessDecisions> {
    const decided = new Map<string, Decision>();
    for (const name of await keyStore.names(DECIDED)) {
      const value = decodeCbor((await keyStore.get(name)) ?? encodeCbor(null), MAX_BYTES);
      if (value !== null && typeof value !== 'string')
        throw new ClientError('store-damaged', 'a stored decision about access is not one');
      decided.set(name.slice(DECIDED.length), { refusal: value });
    }
    return new AccessDecisions(keyStore, decided);
  }

  of(id: string): Decision | null {
    return this.#decided.get(id) ?? null;
  }

  /** Durable when it resolves. */
  async decide(id: string, decision: Decision): Promise<void> {
    await this.#keyStore.write([{ name: DECIDED + id, value: encodeCbor(decision.refusal) }]);
    this.#decided.set(id, decision);
  }

  /** Forgets all but these. */
  async keep(ids: ReadonlySet<string>): Promise<void> {
    const over = [...this.#decided.keys()].filter((id) => !ids.has(id));
    if (over.length === 0) return;
    await this.#keyStore.write(over.map((id) => ({ name: DECIDED + id, value: null })));
    for (const id of over) this.#decided.delete(id);
  }
}
