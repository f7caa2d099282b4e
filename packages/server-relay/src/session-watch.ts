import { equalBytes, toHex, type DeviceId, type OrgId } from '@keytide/crypto-core';
import { ALONE, type Lease } from './cluster/lease.ts';
import { RelayError } from './errors.ts';
import type { Session } from './logins.ts';
import type { NodeStore } from './node-store.ts';
import type { SessionStore, SessionsToEnd } from './session-store.ts';

/** Keeps what is open for a session true to what is stored of it (docs/spec/sessions.md, "Ended at once"). */
export interface SessionWatch {
  /** Ends sessions. When it resolves that is durable, and nothing more reaches them, here or at another node. */
  end(which: SessionsToEnd): Promise<void>;
  /** How often something may have ended: whoever finds the same number before and after a wait has missed nothing. */
  endings(): number;
  /** Calls `over` once when the session is ended early, until the returned function is called. */
  follow(session: Session, over: () => void): () => void;
  /** Whether no other node knows of an end that this one has not acted on. */
  isCurrent(): boolean;
  /** Whether the store has lately said which sessions live. */
  isFresh(): boolean;
  /** Resolves when it is fresh, or closed. */
  fresh(): Promise<void>;
  /** Looks now, whatever is under way. @throws RelayError `database-failed` */
  look(): Promise<void>;
  /** Looks at one organisation. @throws RelayError `database-failed`, and what is wrong with it */
  check(org: OrgId): Promise<void>;
  close(): Promise<void>;
}

/** What `createSessionWatch` works with. */
export interface SessionWatchOptions {
  readonly store: Pick<SessionStore, 'endSessions' | 'readLiveSessions'> & Pick<NodeStore, 'readOrgHeads'>;
  readonly lookMs: number;
  /** Of this node among several. Default: it is alone. */
  readonly lease?: Lease;
  /** Brings an organisation up to this size of its membership log, and cuts off who lost their place by it. */
  readonly caughtUp?: (org: OrgId, logSize: number) => Promise<void>;
  /** The store does not answer. */
  readonly failed: () => void;
  /** What is stored of an organisation could not be understood: whoever was connected to it was cut off. */
  readonly broken?: (org: OrgId) => void;
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
export function createSessionWatch(options: SessionWatchOptions): SessionWatch {
  const { store, lookMs, lease = ALONE } = options;
  const followed = new Map<OrgId, Set<Follower>>();
  let endings = 0;
  let missed = 0;
  let looking: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  let waiting: (() => void)[] = [];
  const timer = setInterval(tick, lookMs);

  function tick(): void {
    missed += 1;
    if (missed === MISSED) options.failed();
    // What fails shows in `missed`.
    if (looking === null) lookNow().catch(() => undefined);
  }

  function lookNow(): Promise<void> {
    const begun = lease
      .during(async () => void (await lookAt([...followed.keys()])))
      .then(refreshed)
      .finally(() => {
        looking = null;
      });
    looking = begun;
    return begun;
  }

  /** A look that begins from now on. */
  function nextLook(): Promise<void> {
    if (looking === null) return lookNow();
    next ??= looking
      .catch(() => undefined)
      .then(() => {
        next = null;
        return looking ?? lookNow();
      });
    return next;
  }

  function isFresh(): boolean {
    return missed < MISSED && lease.isHeld();
  }

  function refreshed(): void {
    missed = 0;
    const calls = waiting;
    waiting = [];
    for (const call of calls) call();
  }

  /** Answers what is wrong with one of them, or `null`. @throws RelayError `database-failed`: of none it is known */
  async function lookAt(orgs: readonly OrgId[]): Promise<unknown> {
    if (orgs.length === 0) return null;
    let wrong: unknown = null;
    for (const [org, { logSize, sessionGeneration }] of await store.readOrgHeads(orgs)) {
      try {
        await options.caughtUp?.(org, logSize);
      } catch (error) {
        if (isOfDatabase(error)) throw error;
        // Nobody can say who of this organisation may still be here, so nobody is; the others do not pay for it.
        for (const follower of [...(followed.get(org) ?? [])]) tell(follower);
        options.broken?.(org);
        wrong ??= error;
        continue;
      }
      const behind = [...(followed.get(org) ?? [])].filter(({ asOf }) => asOf < sessionGeneration);
      if (behind.length > 0) await lookAtSessions(org, behind);
    }
    return wrong;
  }

  async function lookAtSessions(org: OrgId, behind: readonly Follower[]): Promise<void> {
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
      await lease.everywhere();
    },
    endings: () => endings + lease.looks(),
    follow(session, over) {
      const { org } = session;
      const follower: Follower = { session, asOf: session.asOf, over };
      followed.set(org, (followed.get(org) ?? new Set()).add(follower));
      return () => void drop(follower);
    },
    isCurrent: () => lease.isHeld(),
    isFresh,
    fresh() {
      if (isFresh()) return Promise.resolve();
      return new Promise((resolve) => void waiting.push(resolve));
    },
    look: nextLook,
    async check(org) {
      const wrong = await lookAt([org]);
      if (wrong !== null) throw wrong;
    },
    async close() {
      clearInterval(timer);
      await looking?.catch(() => undefined);
      refreshed();
    },
  };
}

/** Whether nothing was learned, of whichever organisation. */
function isOfDatabase(error: unknown): boolean {
  return (
    error instanceof RelayError && (error.code === 'database-failed' || error.code === 'database-in-use')
  );
}

function isMeant(which: SessionsToEnd, { id, subject }: Session): boolean {
  if (which.of === 'session') return equalBytes(id, which.id);
  if (which.of !== 'devices') return true;
  const isBut = which.but !== null && equalBytes(id, which.but);
  return subject.kind === 'device' && which.devices.includes(subject.id as DeviceId) && !isBut;
}
