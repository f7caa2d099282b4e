import type { DeviceId, GroupId, OrgId } from '@keytide/crypto-core';
import type { HintTopic, RelayFrame } from '@keytide/relay-protocol';
import type { GroupFeeds } from './cluster/group-feeds.ts';
import type { Clock } from './clock.ts';
import type { Recipients } from './recipients.ts';
import { RelayError, sessionEnded } from './errors.ts';
import type { EnteredDevice } from './gate.ts';
import type { EntriesPage } from './group-logs.ts';
import { createPollPresence } from './poll-presence.ts';
import type { PushDispatcher } from './push/dispatcher.ts';
import type { Session } from './logins.ts';
import type { SessionStore } from './session-store.ts';
import type { SessionWatch } from './session-watch.ts';
import { assertSameTimeline } from './timeline.ts';

/** Devices that ask for a group's log without a WebSocket (docs/spec/frames.md, "Without a WebSocket"). */
export interface Polls {
  /**
   * What a socket would be sent: at once when there is something after `afterSeq`, else when there is, or something to
   * look at beside the logs, or after `waitMs`. Another poll of the same device ends this one's wait.
   * @throws RelayError `timeline-changed`, `session-ended`, `not-a-member`, `rate-limited`, `database-failed`; `unavailable` when closed
   */
  poll(caller: EnteredDevice, asked: Poll): Promise<readonly RelayFrame[]>;
  /** The organisation's log has grown. */
  grown(org: OrgId): void;
  /** As for sockets. */
  hint(org: OrgId, devices: Recipients, topic: HintTopic): void;
  /** Answers all who wait, and nobody any more. */
  close(): void;
}

/** What is asked. */
interface Poll {
  readonly group: GroupId;
  readonly afterSeq: number;
  readonly waitMs: number;
  /** The timeline that `afterSeq` is of. */
  readonly timeline?: Uint8Array | undefined;
}

/** What `createPolls` works with. */
export interface PollsOptions {
  readonly feeds: Pick<GroupFeeds, 'follow' | 'saw'>;
  readonly watch: Pick<SessionWatch, 'follow'>;
  readonly sessions: Pick<SessionStore, 'readLiveSessions'>;
  /** Standing, as of the newest entry. @throws RelayError `not-a-member` */
  readonly deviceOf: (session: Session) => Promise<EnteredDevice>;
  readonly readPage: (org: OrgId, group: GroupId, afterSeq: number) => Promise<EntriesPage>;
  readonly clock: Clock;
  /** Hears which devices are connected: who polls is. */
  readonly presence: Pick<PushDispatcher, 'came' | 'left'>;
  /** How many may wait at once. */
  readonly most: number;
  /** Which past this relay's logs have: 16 bytes. */
  readonly timeline: Uint8Array;
}

interface Waiter {
  readonly org: OrgId;
  readonly device: DeviceId;
  readonly topics: Set<HintTopic>;
  wake(): void;
}

/** Nobody waits. */
export function createPolls(options: PollsOptions): Polls {
  const { feeds, watch, sessions, deviceOf, readPage, clock, most, timeline } = options;
  const waiting = new Map<DeviceId, Waiter>();
  const presence = createPollPresence(options.presence);
  let isClosed = false;

  /** Of this very moment: nothing waits between the last look and the answer. */
  async function isStillIn(session: Session): Promise<EnteredDevice> {
    const entered = await deviceOf(session);
    const { ids } = await sessions.readLiveSessions(session.org, [session.id]);
    if (ids.length === 0 || session.expiresMs <= clock.now()) throw sessionEnded();
    return entered;
  }

  return {
    async poll({ org, device, session }, { group, afterSeq, waitMs, timeline: named }) {
      assertSameTimeline(timeline, afterSeq, named);
      waiting.get(device.id)?.wake();
      // Whoever was answered at once would ask at once, again and again.
      if (isClosed) throw new RelayError('unavailable', 'the relay goes away');
      if (waiting.size >= most) throw new RelayError('rate-limited', 'too many wait');
      let wake: () => void = () => undefined;
      let isOver = false;
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const waiter: Waiter = { org, device: device.id, topics: new Set(), wake };
      waiting.set(device.id, waiter);
      const leave = presence.come(org, device.id);
      const unfollow = feeds.follow(org, group, { offer: wake, mention: wake, pass: () => undefined });
      const unwatch = watch.follow(session, () => {
        isOver = true;
        wake();
      });
      const timer = setTimeout(wake, waitMs);
      try {
        let page = await readPage(org, group, afterSeq);
        feeds.saw(org, group, page.headSeq);
        if (page.entries.length === 0 && page.headSeq === afterSeq) {
          await woken;
          page = await readPage(org, group, afterSeq);
        }
        const { state } = await isStillIn(session);
        if (isOver) throw sessionEnded();
        return [
          { type: 'welcome', relayTimeMs: clock.now(), directorySize: state.size, timeline },
          ...framesOf(group, afterSeq, page),
          ...[...waiter.topics].map((topic) => ({ type: 'hint', topic }) as const),
        ];
      } finally {
        clearTimeout(timer);
        leave();
        unfollow();
        unwatch();
        if (waiting.get(device.id) === waiter) waiting.delete(device.id);
      }
    },
    grown(org) {
      for (const waiter of waiting.values()) if (waiter.org === org) waiter.wake();
    },
    hint(org, devices, topic) {
      for (const waiter of waiting.values()) {
        if (waiter.org !== org || (devices !== 'everyone' && !devices.includes(waiter.device))) continue;
        waiter.topics.add(topic);
        waiter.wake();
      }
    },
    close() {
      isClosed = true;
      for (const { wake } of waiting.values()) wake();
      presence.close();
    },
  };
}

/** As a subscription sends them. */
function framesOf(group: GroupId, afterSeq: number, { entries, headSeq }: EntriesPage): RelayFrame[] {
  const firstSeq = entries[0]?.seq ?? headSeq + 1;
  const frames: RelayFrame[] = [];
  if (headSeq > afterSeq) frames.push({ type: 'head', group, headSeq });
  if (firstSeq > afterSeq + 1) frames.push({ type: 'gap', group, firstAvailableSeq: firstSeq });
  if (entries.length > 0) frames.push({ type: 'entries', group, firstSeq, entries });
  if (firstSeq + entries.length > headSeq) frames.push({ type: 'caught-up', group, headSeq });
  return frames;
}
