import {
  concatBytes,
  CryptoError,
  encodeCbor,
  hkdf,
  idBytes,
  labelled,
  Secret,
  type CborValue,
  type OrgId,
  type Primitives,
  type Random,
} from '@keytide/crypto-core';
import type { AtRestBytes, DataStore } from './data-store.ts';
import { RelayError } from './errors.ts';
import type { KeyWrapper } from './key-wrapper.ts';

/** Seals what the relay may read before it goes to the database (docs/spec/data.md). */
export interface AtRest {
  /** 32 bytes that stand for these values in the database: nobody without the data key can tell which they are. */
  nameOf(org: OrgId, value: CborValue): Promise<Uint8Array>;
  /** Seals for one place and version. */
  seal(place: AtRestPlace, plaintext: Uint8Array): Promise<AtRestBytes>;
  /** Undoes `seal`. @throws RelayError `data-damaged` for other bytes, another place or another version */
  open(place: AtRestPlace, stored: AtRestBytes): Promise<Uint8Array>;
}

/** What ciphertext is bound to. The name stands for class, collection and id. */
interface AtRestPlace {
  readonly org: OrgId;
  /** 32 bytes, of `nameOf`. */
  readonly name: Uint8Array;
  readonly version: number;
}

/** What `createAtRest` works with. */
export interface AtRestOptions {
  readonly store: Pick<DataStore, 'readDataKeys' | 'addDataKey'>;
  readonly wrapper: KeyWrapper;
  readonly primitives: Primitives;
  readonly random: Random;
}

const SALT_BYTES = 16;
const NO_SALT = new Uint8Array(0);
const ZERO_NONCE = new Uint8Array(12);
/** The data key that seals. Another one needs a rule for when, and names to be made anew. */
const KEY_NUMBER = 1;
/** Organisations whose data key is kept in memory. */
const KEPT = 1000;

/** Data keys are made at an organisation's first write, and unwrapped once. */
export function createAtRest({ store, wrapper, primitives, random }: AtRestOptions): AtRest {
  const keys = new Map<OrgId, Promise<Secret>>();

  async function load(org: OrgId): Promise<Secret> {
    const context = dataKeyContext(org, KEY_NUMBER);
    for (let attempt = 0; ; attempt += 1) {
      const stored = (await store.readDataKeys(org)).find(({ number }) => number === KEY_NUMBER);
      if (stored !== undefined) {
        const unwrapped = wrapper.unwrap(stored.wrappingKey, stored.wrapped, context);
        return Secret.own(await inRelayTerms(() => unwrapped));
      }
      if (attempt > 0) throw new RelayError('database-failed', 'a data key that was written is not there');
      const fresh = random(32);
      const wrapped = await wrapper.wrap(fresh, context);
      fresh.fill(0);
      await store.addDataKey(org, { number: KEY_NUMBER, wrappingKey: wrapper.keyName, wrapped });
    }
  }

  function keyOf(org: OrgId): Promise<Secret> {
    const known = keys.get(org);
    if (known !== undefined) return known;
    const loading = load(org);
    keys.set(org, loading);
    loading.catch(() => keys.delete(org));
    for (const oldest of keys.keys()) {
      if (keys.size <= KEPT) break;
      keys.delete(oldest);
    }
    return loading;
  }

  /** For bodies one key for each write, by 16 random bytes of salt: no nonce meets two plaintexts. */
  function derive(dataKey: Secret, label: 'dataName' | 'dataWriteKey', salt: Uint8Array): Uint8Array {
    return dataKey.use((keyMaterial) =>
      hkdf(primitives, { salt, keyMaterial, info: labelled(label), sizeBytes: 32 }),
    );
  }

  return {
    async nameOf(org, value) {
      const key = derive(await keyOf(org), 'dataName', NO_SALT);
      return primitives.hmacSha256(key, encodeCbor(value));
    },
    async seal(place, plaintext) {
      const salt = random(SALT_BYTES);
      const key = derive(await keyOf(place.org), 'dataWriteKey', salt);
      const associated = associatedOf(place, KEY_NUMBER);
      const sealed = primitives.aeadSeal({ key, nonce: ZERO_NONCE, associated, data: plaintext });
      key.fill(0);
      return { keyNumber: KEY_NUMBER, sealed: concatBytes(salt, sealed) };
    },
    async open(place, { keyNumber, sealed }) {
      const key = derive(await keyOf(place.org), 'dataWriteKey', sealed.subarray(0, SALT_BYTES));
      const associated = associatedOf(place, keyNumber);
      const data = sealed.subarray(SALT_BYTES);
      return await inRelayTerms(() => primitives.aeadOpen({ key, nonce: ZERO_NONCE, associated, data }));
    },
  };
}

/** What a data key is bound to when it is wrapped. */
export function dataKeyContext(org: OrgId, keyNumber: number): Uint8Array {
  return encodeCbor([idBytes(org), keyNumber]);
}

function associatedOf({ org, name, version }: AtRestPlace, keyNumber: number): Uint8Array {
  return labelled('dataAtRest', encodeCbor([idBytes(org), keyNumber, name, version]));
}

async function inRelayTerms<T>(open: () => T | Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause;
    throw new RelayError('data-damaged', 'what is stored does not open', { cause });
  }
}
