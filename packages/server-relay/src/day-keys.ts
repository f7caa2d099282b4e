import { CryptoError, encodeCbor, idBytes, Secret, type OrgId, type Random } from '@keytide/crypto-core';
import type { EntryStore } from './entry-store.ts';
import { RelayError } from './errors.ts';
import type { KeyWrapper } from './key-wrapper.ts';

/** The keys under which group logs lie at rest: one for each organisation and day (docs/spec/relay-storage.md). */
export interface DayKeys {
  /** The key that seals on that day; it is made if there is none. */
  sealing(org: OrgId, day: number): Promise<Secret>;
  /** The key that opens what was sealed on that day, or `null` when it is forgotten. */
  opening(org: OrgId, day: number): Promise<Secret | null>;
  /** Whether that key is in memory, so that nobody has to be asked for it. */
  isHere(org: OrgId, day: number): boolean;
  /** Begins to make the key of a day that comes; what fails is made up for on the day. */
  prepare(org: OrgId, day: number): void;
  /** Wipes what this process knows of the keys of these days: up to this one, or of one that turned out to be gone. */
  forget(org: OrgId, which: { readonly through: number } | { readonly day: number }): void;
}

/** What `createDayKeys` works with. */
export interface DayKeysOptions {
  readonly store: Pick<EntryStore, 'readDayKey' | 'addDayKey'>;
  readonly wrapper: KeyWrapper;
  readonly random: Random;
  /** How many are kept in memory. */
  readonly most?: number;
}

/** Keys that are kept in memory, those that were not used for longest leaving first. */
const KEPT = 16_384;

interface Kept {
  readonly org: OrgId;
  readonly day: number;
  readonly key: Promise<Secret | null>;
  isHere: boolean;
}

/** Day keys are made at an organisation's first write of a day unless they were prepared, and unwrapped once. */
export function createDayKeys({ store, wrapper, random, most = KEPT }: DayKeysOptions): DayKeys {
  const kept = new Map<string, Kept>();

  async function read(org: OrgId, day: number): Promise<Secret | null> {
    const stored = await store.readDayKey(org, day);
    if (stored === null) return null;
    try {
      return Secret.own(await wrapper.unwrap(stored.wrappingKey, stored.wrapped, dayKeyContext(org, day)));
    } catch (cause) {
      if (!(cause instanceof CryptoError)) throw cause;
      throw new RelayError('data-damaged', 'the key of a day does not unwrap', { cause });
    }
  }

  async function readOrMake(org: OrgId, day: number): Promise<Secret> {
    const there = await read(org, day);
    if (there !== null) return there;
    const fresh = random(32);
    const wrapped = await wrapper.wrap(fresh, dayKeyContext(org, day));
    fresh.fill(0);
    await store.addDayKey(org, day, { wrappingKey: wrapper.keyName, wrapped });
    // Somebody else may have made it at the same time: the one that is stored counts.
    const stored = await read(org, day);
    if (stored === null) throw new RelayError('database-failed', 'a day key that was written is not there');
    return stored;
  }

  /** Holds a key that comes, unless it turns out not to. */
  function hold(org: OrgId, day: number, key: Promise<Secret | null>): void {
    const name = nameOf(org, day);
    const entry = { org, day, key, isHere: false };
    kept.set(name, entry);
    const drop = (): void => {
      if (kept.get(name) === entry) kept.delete(name);
    };
    key.then((found) => {
      if (found === null) drop();
      else entry.isHere = true;
    }, drop);
    for (const oldest of kept.keys()) {
      if (kept.size <= most) break;
      kept.delete(oldest);
    }
  }

  /** What is kept of a day; it is the newest then, so that the first is the one that was not used for longest. */
  function use(name: string): Kept | undefined {
    const entry = kept.get(name);
    if (entry === undefined) return undefined;
    kept.delete(name);
    kept.set(name, entry);
    return entry;
  }

  async function sealing(org: OrgId, day: number): Promise<Secret> {
    const name = nameOf(org, day);
    for (let entry = use(name); entry !== undefined; entry = use(name)) {
      const ready = await entry.key;
      if (ready !== null) return ready;
      if (kept.get(name) === entry) kept.delete(name);
    }
    // Nothing was waited for since: whoever seals at the same time waits for this one.
    const made = readOrMake(org, day);
    hold(org, day, made);
    return made;
  }

  return {
    sealing,
    async opening(org, day) {
      const ready = (await use(nameOf(org, day))?.key) ?? null;
      if (ready !== null) return ready;
      const found = read(org, day);
      hold(org, day, found);
      return found;
    },
    isHere: (org, day) => kept.get(nameOf(org, day))?.isHere ?? false,
    prepare(org, day) {
      if (!kept.has(nameOf(org, day))) sealing(org, day).catch(() => undefined);
    },
    forget(org, which) {
      for (const [name, entry] of kept) {
        if (entry.org !== org) continue;
        if ('day' in which ? entry.day !== which.day : entry.day > which.through) continue;
        kept.delete(name);
        entry.key.then(
          (key) => key?.dispose(),
          () => undefined,
        );
      }
    },
  };
}

function nameOf(org: OrgId, day: number): string {
  return `${day} ${org}`;
}

/** What a day's key is bound to when it is wrapped: another shape than that of a data key, so neither passes for the other. */
export function dayKeyContext(org: OrgId, day: number): Uint8Array {
  return encodeCbor(['day', idBytes(org), day]);
}
