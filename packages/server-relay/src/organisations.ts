import { equalBytes, type OrgId, type Primitives, type Signer } from '@keytide/crypto-core';
import { assertAdmissible, replay, replayKnown, type DirectoryState } from '@keytide/key-directory/verify';
import type { Subject } from '@keytide/relay-protocol';
import type { Clock } from './clock.ts';
import { RelayError } from './errors.ts';
import { judged, readEntry } from './judge-entry.ts';
import { EMPTY_TIP, growLog, readTip, signedRoot, type LogTip } from './log-growth.ts';
import { cutOff, hasStanding, mayHandIn } from './standing.ts';
import type { RelayStore } from './store.ts';

/** An organisation as this relay knows it: its membership log, judged by the rules. */
export interface Organisation {
  readonly org: OrgId;
  /** As of the newest entry. Replaced, never changed, when the log grows. */
  readonly state: DirectoryState;
}

/** The organisations of a relay, replayed when first needed and kept while somebody needs them. */
export interface Organisations {
  /** Starts one by its genesis wire, once `admit` has let it in; the same wire again changes nothing. @throws RelayError */
  create(
    wire: Uint8Array,
    admit: (org: OrgId) => Promise<void>,
  ): Promise<{ readonly org: OrgId; readonly isNew: boolean }>;
  /**
   * For one look, with `atLeast` entries of its log: what this node is behind another one, it reads. `null` when the
   * relay has no such organisation.
   */
  find(org: OrgId, atLeast?: number): Promise<Organisation | null>;
  /** As `find`, but it stays in memory and its `state` stays new until `release` is called. */
  pin(org: OrgId, atLeast?: number): Promise<{ organisation: Organisation; release: () => void } | null>;
  /** Brings an organisation that is in memory up to this size of its log. */
  catchUp(org: OrgId, atLeast: number): Promise<void>;
  /**
   * Adds an entry that `subject` hands in, and answers its index; the same wire again changes nothing.
   * When this resolves, whoever lost their standing by it is cut off, at every node.
   * @throws RelayError `malformed`, `not-a-member`, `head-moved`, `entry-refused`, `unavailable`
   */
  append(org: OrgId, subject: Subject, wire: Uint8Array): Promise<number>;
}

/** What `createOrganisations` works with. `grown` and `everywhere` run before `append` resolves; `grown` must not throw. */
export interface OrganisationsOptions {
  readonly store: RelayStore;
  readonly primitives: Primitives;
  /** Signs checkpoints with the relay's key. */
  readonly signer: Signer;
  readonly clock: Clock;
  /** How many unpinned organisations stay in memory. */
  readonly idle: number;
  readonly grown: (organisation: Organisation) => void;
  /** Resolves when every other node has acted on what is stored now. Default: there is none. */
  readonly everywhere?: () => Promise<void>;
  /** Whether an entry made at this time has to wait (docs/spec/timeline.md). Default: none has. */
  readonly mustWait?: (madeMs: number) => boolean;
  /** An entry was added here. */
  readonly added?: () => void;
}

interface Held extends Organisation {
  state: DirectoryState;
  /** Of `state`; `null` until it is needed. */
  tip: LogTip | null;
  pins: number;
  /** The store may hold more than `state` says. */
  stale: boolean;
  /** The newest append; the next waits for it. */
  last: Promise<unknown>;
}

/** No organisations in memory yet. */
export function createOrganisations(options: OrganisationsOptions): Organisations {
  const { store, primitives, clock } = options;
  const loaded = new Map<OrgId, Held>();
  const loading = new Map<OrgId, Promise<Held | null>>();

  async function load(org: OrgId): Promise<Held | null> {
    try {
      const state = await replayFrom(options, org, null);
      return state === null
        ? null
        : { org, state, tip: null, pins: 0, stale: false, last: Promise.resolve() };
    } finally {
      loading.delete(org);
    }
  }

  /** Never two of one organisation: a second one would not learn of a revocation. */
  async function hold(org: OrgId): Promise<Held | null> {
    if (!loaded.has(org)) {
      const coming = loading.get(org) ?? load(org);
      loading.set(org, coming);
      const fresh = await coming;
      if (fresh === null) return null;
      if (!loaded.has(org)) loaded.set(org, fresh);
      // Only here, and not for each message: of those that nobody may let go, this looks at every one.
      evict(org);
    }
    const organisation = loaded.get(org) as Held;
    organisation.pins += 1;
    // Newest last, so that the first is the one that was not needed for longest.
    loaded.delete(org);
    loaded.set(org, organisation);
    try {
      if (organisation.stale) await refresh(organisation);
      return organisation;
    } catch (error) {
      organisation.pins -= 1;
      throw error;
    }
  }

  function evict(but: OrgId): void {
    for (const [org, organisation] of loaded) {
      if (loaded.size <= options.idle) return;
      if (organisation.pins === 0 && org !== but) loaded.delete(org);
    }
  }

  async function refresh(organisation: Held): Promise<void> {
    const state = await replayFrom(options, organisation.org, organisation.state);
    organisation.stale = false;
    if (state === null || state.size <= organisation.state.size) return;
    organisation.state = state;
    organisation.tip = null;
    options.grown(organisation);
  }

  /** One thing at a time happens to a log. */
  function inTurn<T>(organisation: Held, work: () => Promise<T>): Promise<T> {
    const turn = organisation.last.then(work);
    organisation.last = turn.catch(() => undefined);
    return turn;
  }

  async function bringUp(organisation: Held, atLeast: number): Promise<void> {
    if (organisation.state.size >= atLeast) return;
    await inTurn(organisation, async () => {
      if (organisation.state.size < atLeast) await refresh(organisation);
    });
  }

  /** As `hold`, up to that size. */
  async function holdAt(org: OrgId, atLeast: number): Promise<Held | null> {
    const organisation = await hold(org);
    if (organisation === null) return null;
    try {
      await bringUp(organisation, atLeast);
      return organisation;
    } catch (error) {
      organisation.pins -= 1;
      throw error;
    }
  }

  async function add(organisation: Held, subject: Subject, wire: Uint8Array): Promise<Added> {
    const entry = readEntry(primitives, wire);
    // Whoever builds on more than we know may have it from another relay on this database.
    if (organisation.stale || entry.index > organisation.state.size) await refresh(organisation);
    const isThere = async (): Promise<boolean> => {
      if (entry.index >= organisation.state.size) return false;
      const stored = (await store.readLog(organisation.org, entry.index))?.entries[0];
      return stored !== undefined && equalBytes(stored, wire);
    };
    if (await isThere()) return { index: entry.index, cutsOff: true };
    const before = organisation.state;
    const nowMs = clock.now();
    if (!hasStanding(before, subject, nowMs) || !mayHandIn(subject, entry))
      throw new RelayError('not-a-member', 'this session may not add this entry');
    if (entry.org === before.org && (entry.index !== before.size || entry.previousHash !== before.headHash))
      throw new RelayError('head-moved', 'the entry does not continue the log', { size: before.size });
    if (options.mustWait?.(entry.timeMs) === true)
      throw new RelayError('unavailable', 'the relay was put back: devices give back what it has lost first');
    const after = judged(() => {
      assertAdmissible(before, entry, nowMs);
      return replay(primitives, [wire], before);
    });
    const { org } = organisation;
    organisation.tip ??= await readTip(store, org, before.size);
    const { growth, tip } = await growLog(options, { before, tip: organisation.tip, wire, after });
    const ended = cutOff(before, after);
    try {
      await store.appendLogEntry({ org, index: entry.index, wire, growth, ended });
    } catch (error) {
      organisation.stale = true;
      if (!(error instanceof RelayError) || error.code !== 'head-moved') throw error;
      await refresh(organisation);
      // As where two devices give back the same entry at two nodes.
      if (await isThere()) return { index: entry.index, cutsOff: true };
      throw new RelayError('head-moved', error.message, { size: organisation.state.size });
    }
    organisation.state = after;
    organisation.tip = tip;
    options.grown(organisation);
    options.added?.();
    return { index: entry.index, cutsOff: ended.length > 0 };
  }

  /** Whether it is there by this genesis. @throws RelayError `head-moved` where it is by another wire of it */
  async function isFounded(org: OrgId, wire: Uint8Array): Promise<boolean> {
    const page = await store.readLog(org, 0, 1);
    if (page === null) return false;
    if (!equalBytes(page.entries[0] ?? new Uint8Array(), wire))
      throw new RelayError('head-moved', 'the organisation exists', { size: page.size });
    return true;
  }

  return {
    async create(wire, admit) {
      const state = judged(() => {
        assertAdmissible(null, readEntry(primitives, wire), clock.now());
        return replay(primitives, [wire], null);
      });
      const { org } = state;
      await admit(org);
      // Every device whose login is refused hands it in: of one that is there nothing is signed.
      if (await isFounded(org, wire)) return { org, isNew: false };
      const { growth } = await growLog(options, { before: null, tip: EMPTY_TIP, wire, after: state });
      const isNew = await store.createOrganisation({ org, wire, growth, nowMs: clock.now() });
      if (!isNew) await isFounded(org, wire);
      return { org, isNew };
    },
    async find(org, atLeast = 0) {
      const organisation = await holdAt(org, atLeast);
      if (organisation !== null) organisation.pins -= 1;
      return organisation;
    },
    async catchUp(org, atLeast) {
      const organisation = loaded.get(org);
      if (organisation !== undefined) await bringUp(organisation, atLeast);
    },
    async pin(org, atLeast = 0) {
      const organisation = await holdAt(org, atLeast);
      if (organisation === null) return null;
      const release = (): void => void (organisation.pins -= 1);
      return { organisation, release };
    },
    async append(org, subject, wire) {
      const organisation = await hold(org);
      if (organisation === null) throw new RelayError('not-a-member', 'no such organisation');
      const turn = inTurn(organisation, () => add(organisation, subject, wire));
      const { index, cutsOff } = await turn.finally(() => void (organisation.pins -= 1));
      // Not in turn: another node that waits for this one has to be able to look.
      if (cutsOff) await options.everywhere?.();
      return index;
    },
  };
}

interface Added {
  readonly index: number;
  /** Somebody may have lost their standing, now or when it was first added. */
  readonly cutsOff: boolean;
}

/** Page by page, so that a long log is never in memory whole, and others have their turn in between. */
async function replayFrom(
  options: OrganisationsOptions,
  org: OrgId,
  from: DirectoryState | null,
): Promise<DirectoryState | null> {
  const { store, primitives } = options;
  for (let state = from; ;) {
    const page = await store.readLog(org, state?.size ?? 0);
    if (page === null) return null;
    if (page.entries.length > 0) {
      const root = await signedRoot(options, org, (state?.size ?? 0) + page.entries.length);
      state =
        root === null
          ? replay(primitives, page.entries, state)
          : replayKnown(primitives, page.entries, root, state);
    }
    if ((state?.size ?? 0) >= page.size || page.entries.length === 0) return state;
  }
}
