import { parseEpochStatement, type DeviceId, type GroupId, type Primitives } from '@keytide/crypto-core';
import { recipientsOf } from '@keytide/key-directory/verify';
import {
  encodeRelayFrame,
  isRefusalCode,
  type ClientFrame,
  type HintTopic,
  type RefusalCode,
  type RelayFrame,
} from '@keytide/relay-protocol';
import type { AppendQueue } from './append-queue.ts';
import { checkEnvelopes, checkStatement, readAnnouncement } from './checks.ts';
import type { Clock } from './clock.ts';
import type { DeviceRates } from './device-rates.ts';
import { RelayError } from './errors.ts';
import type { AppendVerdict } from './entry-store.ts';
import type { GroupFeeds } from './cluster/group-feeds.ts';
import type { GroupLogs } from './group-logs.ts';
import type { Metrics } from './metrics.ts';
import type { Organisation } from './organisations.ts';
import { silentAmong } from './sealing-records.ts';
import type { RelayStore } from './store.ts';
import { assertSameTimeline } from './timeline.ts';
import { createSubscription, type Outlet, type Subscription } from './subscription.ts';

/** A device that said hello, whatever carries its frames. */
export interface Peer {
  /**
   * Does what a frame asks; resolves once it is answered. Frames take effect in the order of the calls.
   * @throws RelayError that ends the connection; what concerns one request is answered by `refused` instead
   */
  handle(frame: Exclude<ClientFrame, { type: 'hello' }>): Promise<void>;
  /** Answers an append that comes too soon; nothing of it is stored. */
  refuse(append: Pick<Append, 'requestId'>): void;
  /** Tells the device that the membership log has grown. */
  grown(): void;
  /** Tells the device to look there again. */
  hint(topic: HintTopic): void;
  /** Ends its subscriptions. */
  stop(): void;
}

/** What all peers of a relay share. */
export interface PeerShared {
  readonly primitives: Primitives;
  readonly store: Pick<RelayStore, 'readSealingRecords'>;
  readonly logs: Pick<GroupLogs, 'readEntries' | 'readNewestStatement'>;
  readonly queue: AppendQueue;
  readonly feeds: Pick<GroupFeeds, 'follow' | 'saw' | 'pass'>;
  readonly clock: Clock;
  readonly ephemeralRates: DeviceRates;
  readonly metrics: Pick<Metrics, 'refused' | 'delivered'>;
  /** Which past this relay's logs have: 16 bytes. */
  readonly timeline: Uint8Array;
}

/** What `createPeer` works with. */
export interface PeerOptions {
  readonly shared: PeerShared;
  readonly organisation: Organisation;
  readonly device: DeviceId;
  readonly outlet: Outlet;
  /** Resolves when this node knows of every entry of the membership log that is stored now. */
  readonly upToDate: () => Promise<void>;
  /** A subscription broke down. */
  readonly failed: (error: unknown) => void;
}

type Append = Extract<ClientFrame, { type: 'append' }>;
type Announce = Extract<ClientFrame, { type: 'announce' }>;
type Subscribe = Extract<ClientFrame, { type: 'subscribe' }>;
type Ephemeral = Extract<ClientFrame, { type: 'ephemeral' }>;

/** A peer without subscriptions. */
export function createPeer(options: PeerOptions): Peer {
  const { shared, organisation, device, outlet } = options;
  const { logs, queue, feeds } = shared;
  const { org } = organisation;
  const subscriptions = new Map<GroupId, { readonly subscription: Subscription; end(): void }>();
  let announcing: Promise<void> | null = null;

  function send(frame: RelayFrame): void {
    outlet.send(encodeRelayFrame(frame));
  }

  async function append({ group, items }: Append): Promise<readonly AppendVerdict[]> {
    assertGroup(organisation, group);
    const epochs = checkEnvelopes(group, items);
    if (announcing !== null) await announcing;
    return queue.append(
      items.map((item, index) => ({ org, group, epoch: epochs[index] as number, ...item })),
    );
  }

  /** What follows an announcement may be of its epoch, so it waits until the announcement is decided. */
  function announceInTurn(frame: Announce): Promise<readonly AppendVerdict[]> {
    const before = announcing ?? Promise.resolve();
    const verdicts = before.then(() => announce(options, frame));
    const decided = verdicts.then(
      () => {},
      () => {},
    );
    announcing = decided;
    void decided.then(() => {
      if (announcing === decided) announcing = null;
    });
    return verdicts;
  }

  /** Answers a request: its seqs, or the first refusal among its items. */
  async function answer(requestId: number, verdicts: Promise<readonly AppendVerdict[]>): Promise<void> {
    try {
      const seqs: number[] = [];
      for (const verdict of await verdicts) {
        if ('refused' in verdict) throw new RelayError(verdict.refused, 'an item was refused');
        seqs.push(verdict.seq);
      }
      send({ type: 'appended', requestId, seqs });
    } catch (error) {
      // A failure of our own is no answer to the request: the outcome is unknown, so the connection ends.
      if (!(error instanceof RelayError) || !isRefusalCode(error.code)) throw error;
      refuse(requestId, error.code);
    }
  }

  function refuse(requestId: number, code: RefusalCode): void {
    shared.metrics.refused(code);
    send({ type: 'refused', requestId, code });
  }

  function subscribe({ group, afterSeq, timeline }: Subscribe): void {
    assertGroup(organisation, group);
    assertSameTimeline(shared.timeline, afterSeq, timeline);
    subscriptions.get(group)?.end();
    const subscription: Subscription = createSubscription({
      group,
      afterSeq,
      outlet,
      async readPage(after) {
        const page = await logs.readEntries(org, group, after);
        feeds.saw(org, group, page.headSeq);
        return page;
      },
      delivered: shared.metrics.delivered,
      failed: options.failed,
    });
    const unfollow = feeds.follow(org, group, subscription);
    const end = (): void => {
      unfollow();
      subscription.stop();
    };
    subscriptions.set(group, { subscription, end });
    subscription.start();
  }

  function passOn({ group, frame }: Ephemeral): void {
    assertGroup(organisation, group);
    // Neither stored nor logged; whoever sends too much learns nothing, as nobody waits for an answer.
    if (!shared.ephemeralRates.admits(device)) return;
    feeds.pass({ org, group }, frame, subscriptions.get(group)?.subscription ?? null);
  }

  return {
    async handle(frame) {
      switch (frame.type) {
        case 'append':
          return answer(frame.requestId, append(frame));
        case 'announce':
          return answer(frame.requestId, announceInTurn(frame));
        case 'subscribe':
          return subscribe(frame);
        case 'ping':
          return send({ type: 'pong', nonce: frame.nonce });
        case 'ephemeral':
          return passOn(frame);
      }
    },
    refuse({ requestId }) {
      refuse(requestId, 'rate-limited');
    },
    grown() {
      send({ type: 'directory', size: organisation.state.size });
    },
    hint(topic) {
      send({ type: 'hint', topic });
    },
    stop() {
      for (const { end } of subscriptions.values()) end();
      subscriptions.clear();
    },
  };
}

function assertGroup({ state }: Organisation, group: GroupId): void {
  if (group !== state.everyone) throw new RelayError('unknown-group', 'no such group');
}

async function announce(options: PeerOptions, frame: Announce): Promise<readonly AppendVerdict[]> {
  const { organisation, device, shared } = options;
  const { primitives, logs, queue, clock } = shared;
  const { org } = organisation;
  assertGroup(organisation, frame.group);
  const { group, messageId, boxes } = frame;
  await options.upToDate();
  const statement = readAnnouncement(primitives, organisation.state, device, frame);
  const previous = await logs.readNewestStatement(org, group);
  const newest = previous === null ? 0 : parseEpochStatement(primitives, previous).epoch;
  // The store takes the epoch after its newest, which may be newer by then: only a checked one may wait for it.
  if (statement.epoch > newest + 1)
    throw new RelayError('epoch-taken', 'not the epoch that follows the newest');
  if (statement.epoch === newest + 1) {
    const silent = await silentWithoutBox(options, frame, statement.createdMs);
    // Nothing may come between this check and the queue: the log could grow meanwhile.
    const standing = { state: organisation.state, nowMs: clock.now(), silent };
    checkStatement(primitives, standing, statement, frame, previous);
  }
  // Any other number is either a repetition, which the store knows, or too late.
  return [
    await queue.announce({
      org,
      group,
      epoch: statement.epoch,
      messageId,
      statement: frame.statement,
      boxes,
    }),
  ];
}

function silentWithoutBox(
  { organisation: { state }, shared: { store } }: PeerOptions,
  { group, boxes }: Announce,
  atMs: number,
): Promise<ReadonlySet<DeviceId>> {
  const boxed = new Set(boxes.map((box) => box.device));
  const missing = recipientsOf(state, group).flatMap((to) => (boxed.has(to.device) ? [] : [to.device]));
  return silentAmong(store, state, missing, atMs);
}
