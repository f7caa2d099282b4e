import {
  decodeCbor,
  deviceId,
  encodeCbor,
  idBytes,
  type DeviceId,
  type KeyStore,
  type KeyStoreChange,
} from '@keytide/crypto-core';
import { encodeDirectPayload, parseDirectPayload, type DirectPayload } from './direct-payload.ts';
import { ClientError } from './errors.ts';

/** A direct message that is kept here: sent by this device, or received. */
export interface KeptDirect {
  readonly name: string;
  readonly sender: DeviceId;
  /** When it was sent, or came here if that was earlier: milliseconds since 1970. */
  readonly timeMs: number;
  readonly payload: DirectPayload;
  /** Of the payload, as it travelled. */
  readonly sizeBytes: number;
}

/** A message to one device that the relay has not confirmed to keep. */
export interface Letter {
  readonly name: string;
  readonly recipient: DeviceId;
  /** 16 bytes: makes handing it in again harmless. */
  readonly id: Uint8Array;
  /** Sealed, or to be sealed when it is handed in: in a session. */
  readonly isSealed: boolean;
  readonly bytes: Uint8Array;
  readonly madeMs: number;
}

const KEPT = 'direct/kept/';
const LETTERS = 'direct/out/';
const MAX_ENTRY_BYTES = 128 * 1024;

/**
 * Direct messages on this device: entries of its key store, which is encrypted as a whole, so that what a message
 * brought and that it was opened are one batch, and deleting one deletes it from the only place where it is.
 */
export class DirectShelf {
  readonly #keyStore: KeyStore;
  #kept: readonly KeptDirect[];
  #letters: readonly Letter[];
  /** Names go on from the last one that is there. */
  #next: number;

  private constructor(keyStore: KeyStore, kept: readonly KeptDirect[], letters: readonly Letter[]) {
    this.#keyStore = keyStore;
    this.#kept = kept;
    this.#letters = letters;
    const names = [...kept, ...letters].map(({ name }) => Number(name.slice(name.lastIndexOf('/') + 1)));
    this.#next = 1 + names.reduce((most, number) => Math.max(most, number), 0);
  }

  /** Reads what is stored. @throws ClientError `store-damaged` */
  static async open(keyStore: KeyStore): Promise<DirectShelf> {
    const read = async <T>(prefix: string, decode: (name: string, value: Uint8Array) => T): Promise<T[]> => {
      const found: T[] = [];
      for (const name of await keyStore.names(prefix)) {
        const value = await keyStore.get(name);
        if (value !== null) found.push(decode(name, value));
      }
      return found;
    };
    return new DirectShelf(keyStore, await read(KEPT, decodeKept), await read(LETTERS, decodeLetter));
  }

  /** In the order in which they came to be here. */
  get kept(): readonly KeptDirect[] {
    return this.#kept;
  }

  /** In the order in which they were sealed. */
  get letters(): readonly Letter[] {
    return this.#letters;
  }

  /** Names a message and says how it is kept; `add` it once that is durable. */
  shelve(
    message: Omit<KeptDirect, 'name' | 'sizeBytes'>,
    plaintext: Uint8Array,
  ): { kept: KeptDirect; change: KeyStoreChange } {
    const kept = { ...message, name: this.#name(KEPT), sizeBytes: plaintext.length };
    return { kept, change: { name: kept.name, value: encodeKept(kept, plaintext) } };
  }

  /** What `shelve` has named is durable. */
  add(kept: KeptDirect): void {
    this.#kept = [...this.#kept, kept];
  }

  /** Keeps a message of this device together with the letters that carry it: all or nothing. */
  async send(
    message: Omit<KeptDirect, 'name' | 'sizeBytes'>,
    plaintext: Uint8Array,
    letters: readonly Omit<Letter, 'name'>[],
  ): Promise<void> {
    const { kept, change } = this.shelve(message, plaintext);
    const enclosed = letters.map((letter) => this.enclose(letter));
    await this.#keyStore.write([change, ...enclosed.map((each) => each.change)]);
    this.add(kept);
    this.addLetters(enclosed.map((each) => each.letter));
  }

  /** Names a letter and says how it is kept; `addLetters` once that is durable. */
  enclose(letter: Omit<Letter, 'name'>): { letter: Letter; change: KeyStoreChange } {
    const named = { ...letter, name: this.#name(LETTERS) };
    return { letter: named, change: changeOf(named) };
  }

  /** What `enclose` has named is durable. */
  addLetters(letters: readonly Letter[]): void {
    this.#letters = [...this.#letters, ...letters];
  }

  /** A letter that is sealed now, and how that is kept; `replace` once that is durable. */
  sealed(letter: Letter, bytes: Uint8Array): { sealed: Letter; change: KeyStoreChange } {
    const sealed = { ...letter, isSealed: true, bytes };
    return { sealed, change: changeOf(sealed) };
  }

  /** What `sealed` has made is durable. */
  replace(letter: Letter, sealed: Letter): void {
    this.#letters = this.#letters.map((each) => (each === letter ? sealed : each));
  }

  /** Forgets letters that the relay keeps, or that nobody waits for. */
  async drop(letters: readonly Letter[]): Promise<void> {
    if (letters.length === 0) return;
    await this.#keyStore.write(letters.map(({ name }) => ({ name, value: null })));
    this.#letters = this.#letters.filter((letter) => !letters.includes(letter));
  }

  /**
   * Dates to now what is dated later: a clock was ahead when it was written, and is right now. Otherwise it would
   * stay for as long as the clock was ahead.
   */
  async setBack(nowMs: number): Promise<void> {
    const kept = new Map(
      this.#kept
        .filter(({ timeMs }) => timeMs > nowMs)
        .map((each): [string, KeptDirect] => [each.name, { ...each, timeMs: nowMs }]),
    );
    const letters = new Map(
      this.#letters
        .filter(({ madeMs }) => madeMs > nowMs)
        .map((each): [string, Letter] => [each.name, { ...each, madeMs: nowMs }]),
    );
    if (kept.size + letters.size === 0) return;
    await this.#keyStore.write([
      ...[...kept].map(([name, each]) => ({
        name,
        value: encodeKept(each, encodeDirectPayload(each.payload)),
      })),
      ...[...letters.values()].map(changeOf),
    ]);
    this.#kept = this.#kept.map((each) => kept.get(each.name) ?? each);
    this.#letters = this.#letters.map((each) => letters.get(each.name) ?? each);
  }

  /**
   * Deletes messages that are older than this, and letters that are not sealed; sealed ones that are older than
   * `sealedBeforeMs`: nobody else has those, and nobody reads them here. Answers whether there was any message.
   */
  async forget(beforeMs: number, sealedBeforeMs: number): Promise<boolean> {
    const over = this.#kept.filter(({ timeMs }) => timeMs < beforeMs);
    await this.drop(
      this.#letters.filter(({ isSealed, madeMs }) => madeMs < (isSealed ? sealedBeforeMs : beforeMs)),
    );
    if (over.length === 0) return false;
    await this.#keyStore.write(over.map(({ name }) => ({ name, value: null })));
    this.#kept = this.#kept.filter((kept) => !over.includes(kept));
    return true;
  }

  /** Lets go of what is in memory. */
  empty(): void {
    this.#kept = [];
    this.#letters = [];
  }

  #name(prefix: string): string {
    const number = this.#next;
    this.#next += 1;
    return prefix + String(number).padStart(16, '0');
  }
}

function encodeKept(
  { sender, timeMs }: Pick<KeptDirect, 'sender' | 'timeMs'>,
  plaintext: Uint8Array,
): Uint8Array {
  return encodeCbor([1, idBytes(sender), timeMs, plaintext]);
}

/** Version 1 is sealed; version 2 is not. */
function changeOf({ name, recipient, id, isSealed, bytes, madeMs }: Letter): KeyStoreChange {
  return { name, value: encodeCbor([isSealed ? 1 : 2, idBytes(recipient), id, bytes, madeMs]) };
}

function decodeKept(name: string, value: Uint8Array): KeptDirect {
  const [version, sender, timeMs, plaintext] = fieldsOf(value, 4);
  if (version !== 1 || !(sender instanceof Uint8Array) || typeof timeMs !== 'number') throw damaged();
  const payload = plaintext instanceof Uint8Array ? parseDirectPayload(plaintext) : null;
  if (!(plaintext instanceof Uint8Array) || payload === null) throw damaged();
  return { name, sender: deviceId(sender), timeMs, payload, sizeBytes: plaintext.length };
}

function decodeLetter(name: string, value: Uint8Array): Letter {
  const [version, recipient, id, bytes, madeMs] = fieldsOf(value, 5);
  const isBytes = (each: unknown): each is Uint8Array => each instanceof Uint8Array;
  if (!isBytes(recipient) || !isBytes(id) || !isBytes(bytes) || typeof madeMs !== 'number') throw damaged();
  if (version !== 1 && version !== 2) throw damaged();
  return { name, recipient: deviceId(recipient), id, isSealed: version === 1, bytes, madeMs };
}

function fieldsOf(value: Uint8Array, length: number): readonly unknown[] {
  const decoded = decodeCbor(value, MAX_ENTRY_BYTES);
  const fields = Array.isArray(decoded) ? decoded : [];
  if (fields.length !== length) throw damaged();
  return fields;
}

function damaged(): ClientError {
  return new ClientError('store-damaged', 'a stored direct message is not one');
}
