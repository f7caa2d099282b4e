import {
  decodeCbor,
  encodeCbor,
  type GroupId,
  type KeyStore,
  type KeyStoreChange,
  type SenderHead,
} from '@keytide/crypto-core';
import { ClientError } from './errors.ts';

/**
 * The newest place of this device's own chain among the messages whose keys are gone: once nobody here can read
 * what it wrote, nothing else tells which counter and link come next. Written with the deletion.
 */
export class OwnHead {
  readonly #name: string;
  #head: SenderHead;

  private constructor(name: string, head: SenderHead) {
    this.#name = name;
    this.#head = head;
  }

  /** Reads what is stored. @throws ClientError `store-damaged` */
  static async open(keyStore: KeyStore, group: GroupId): Promise<OwnHead> {
    const name = `own-head/${group}`;
    const stored = await keyStore.get(name);
    if (stored === null) return new OwnHead(name, null);
    const value = decodeCbor(stored, 64);
    const [counter, link] = Array.isArray(value) ? value : [];
    if (typeof counter !== 'number' || !(link instanceof Uint8Array))
      throw new ClientError('store-damaged', 'the stored head of the own chain is not one');
    return new OwnHead(name, { counter, link });
  }

  /** The newest of these places and of what is stored. */
  latest(heads: readonly SenderHead[]): SenderHead {
    let latest = this.#head;
    for (const head of heads) if (head !== null && head.counter > (latest?.counter ?? -1)) latest = head;
    return latest === null ? null : { counter: latest.counter, link: latest.link };
  }

  /** What to write so that `head` is not forgotten. */
  change(head: SenderHead): readonly KeyStoreChange[] {
    return head === null ? [] : [{ name: this.#name, value: encodeCbor([head.counter, head.link]) }];
  }

  /** `change` is written. */
  keep(head: SenderHead): void {
    this.#head = head;
  }
}
