import { equalBytes, toHex, type DeviceId, type OrgId } from '@keytide/crypto-core';
import type { Session } from './logins.ts';
import type { SessionStore, SessionsToEnd } from './session-store.ts';

/** Keeps what is open for a session true to what is stored of it (docs/spec/sessions.md, "Ended at once"). */
export interface SessionWatch {
  /** Ends sessions. When it resolves that is durable, and whoever followed one of them here was told. */
  end(which: SessionsToEnd): Promise<void>;
  /** How often `end` has ended some: whoever finds the same number before and after a wait has missed none. */
  endings(): number;
  /** Calls `over` once when the session is ended early, until the returned function is called. */
  follow(session: Session, over: () => void): () => void;
  /** Whether the store has lately said which sessions live. */
  isFresh(): boolean;
  /** Resolves when it is fresh, or closed. */
  fresh(): Promise<void>;
  close(): Promise<void>;
}

/** What `createSessionWatch` works with. */
export interface SessionWatchOptions {
  readonly store: Pick<SessionStore, 'endSessions' | 'readSessionGenerations' | 'readLiveSessions'>;
  readonly lookMs: number;
  /** The store does not answer. */
  readonly failed: () => void;
}

interface Follower {
  readonly session: Session;
  /** The generation as of which the session is known to live. */
  asOf: number;
  readonly over: () => void;
}

/** Looks that may go unanswered before nothing is believed any more. */
const MISSED = 3;

/** Nobody is followed yet. */
export function createSessionWatch({ store, lookMs, failed }: SessionWatchOptions): SessionWatch {
  const followed = new Map<OrgId, Set<Follower>>();
  let endings = 0;
  let missed = 0;
  let looking: Promise<void> | null = null;
  let waiting: (() => void)[] = [];
  const timer = setInterval(tick, lookMs);

  function tick(): void {
    missed += 1;
    if (missed === MISSED) failed();
    looking ??= look()
      .then(refreshed, () => undefined)
      .finally(() => {
        looking = null;
      });
  }

  function refreshed(): void {
    missed = 0;
    const calls = waiting;
    waiting = [];
    for (const call of calls) call();
  }

  async function look(): Promise<void> {
    if (followed.size === 0) return;
    const generations = await store.readSessionGenerations([...followed.keys()]);
    for (const [org, generation] of generations) {
      const behind = [...(followed.get(org) ?? [])].filter(({ asOf }) => asOf < generation);
      if (behind.length > 0) await lookAt(org, behind);
    }
  }

  async function lookAt(org: OrgId, behind: readonly Follower[]): Promise<void> {
    const ids = behind.map(({ session }) => session.id);
    const live = await store.readLiveSessions(org, ids);
    const known = new Set(live.ids.map(toHex));
    for (const follower of behind) {
      if (known.has(toHex(follower.session.id))) follower.asOf = live.generation;
      else tell(follower);
    }
  }

  function tell(follower: Follower): void {
    if (drop(follower)) follower.over();
  }

  /** Whether it was followed until now. */
  function drop(follower: Follower): boolean {
    const { org } = follower.session;
    const mates = followed.get(org);
    const had = mates?.delete(follower) ?? false;
    if (mates?.size === 0) followed.delete(org);
    return had;
  }

  return {
    async end(which) {
      await store.endSessions(which);
      endings += 1;
      const orgs = which.of === 'relay' ? followed.values() : [followed.get(which.org) ?? []];
      for (const followers of [...orgs])
        for (const follower of [...followers]) if (isMeant(which, follower.session)) tell(follower);
    },
    endings: () => endings,
    follow(session, over) {
      const { org } = session;
      const follower: Follower = { session, asOf: session.asOf, over };
      followed.set(org, (followed.get(org) ?? new Set()).add(follower));
      return () => void drop(follower);
    },
    isFresh: () => missed < MISSED,
    fresh: () => (missed < MISSED ? Promise.resolve() : new Promise((resolve) => void waiting.push(resolve))),
    async close() {
      clearInterval(timer);
      await looking;
      refreshed();
    },
  };
}

function isMeant(which: SessionsToEnd, { id, subject }: Session): boolean {
  if (which.of === 'session') return equalBytes(id, which.id);
  if (which.of !== 'devices') return true;
  const isBut = which.but !== null && equalBytes(id, which.but);
  return subject.kind === 'device' && which.devices.includes(subject.id as DeviceId) && !isBut;
}
