import { encodeUtf8, type Random, type Signer } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { encodeRelayFrame, type IdentityProvider } from '@keytide/relay-protocol';
import type { FastifyInstance } from 'fastify';
import { createAppendQueue } from './append-queue.ts';
import { createAtRest } from './at-rest.ts';
import type { BlobStore } from './blob-store.ts';
import { createBlobs } from './blobs.ts';
import type { Clock } from './clock.ts';
import { createCallerRates } from './caller-rates.ts';
import { createDayKeys } from './day-keys.ts';
import { createDeviceRates } from './device-rates.ts';
import { openBus, type Bus, type OpenCarrier } from './cluster/bus.ts';
import { createGroupFeeds } from './cluster/group-feeds.ts';
import { compareHeads } from './cluster/compare-heads.ts';
import type { Lease } from './cluster/lease.ts';
import { startForgetRounds } from './forget-rounds.ts';
import { createGate } from './gate.ts';
import { createGroupLogs } from './group-logs.ts';
import { createHub } from './hub.ts';
import { createIdentityCheck, NO_IDENTITY } from './identity-check.ts';
import { createShares, Intake } from './intake.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import type { RelayLimits } from './limits.ts';
import { createPeerLending } from './lend-peer.ts';
import { shortId, type Log } from './log-event.ts';
import { createLogins, type Logins } from './logins.ts';
import type { Metrics } from './metrics.ts';
import { observedQueue } from './observed-queue.ts';
import { newestPolicyOf } from './newest-policy.ts';
import type { Relay } from './relay.ts';
import { addRelayRoutes } from './relay-routes.ts';
import { createPolls, type Polls } from './polls.ts';
import { createOrganisations } from './organisations.ts';
import type { Origins } from './origins.ts';
import { createRateLimit } from './rate-limit.ts';
import { createRateSharing } from './rate-sharing.ts';
import { createPushDispatcher, NO_PUSH } from './push/dispatcher.ts';
import { createPushRegistrations } from './push/registrations.ts';
import type { PushSenders } from './push/senders.ts';
import { watchRequests } from './requests.ts';
import type { RetentionOf } from './retention.ts';
import { createSessionWatch } from './session-watch.ts';
import { serveSockets, type Sockets } from './sockets.ts';
import type { OpenedStore } from './sql/open.ts';
import { mustWait } from './timeline.ts';
import { traced } from './traced.ts';
import { createTurnstile } from './turnstile.ts';

const RECOVER_MS = 60_000;

/** What a relay is assembled from: everything that was opened, read or chosen before. */
export interface AssembleOptions extends OpenedStore {
  /** Without routes. */
  readonly app: FastifyInstance;
  /** Has the relay's name once it listens. */
  readonly place: { readonly name: string };
  /** What carries wake-ups between several relays; `null` for one that is alone. */
  readonly carrier: OpenCarrier | null;
  readonly blobStore: BlobStore;
  readonly identity: IdentityProvider | null;
  readonly undeclared: ((what: string) => void) | null;
  readonly senders: PushSenders;
  readonly origins: Origins;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly signer: Signer;
  readonly wrapper: KeyWrapper;
  readonly metrics: Metrics;
  readonly version: string;
  readonly limits: RelayLimits;
  readonly lease: Lease;
  /** Where news for other nodes goes; the bus comes last. */
  readonly wire: { bus: Bus };
  /** Whether the clock is one to forget by. */
  readonly mayForget: () => Promise<boolean>;
}

/** Joins the parts of a relay. They work from here on; nobody hears of it before it listens. */
export function assembleRelay(options: AssembleOptions): Parts {
  const { app, store, lanes, place, clock, limits, log, random, senders, signer, wrapper } = options;
  const { metrics, lease, wire, mayForget, timeline } = options;
  const primitives = nodePrimitives;
  const waits = (madeMs: number): boolean => mustWait(timeline, clock.now(), limits.settleMs, madeMs);
  const relayName = (): string => place.name;
  const requests = watchRequests(app);
  const hub = createHub();
  const atRest = createAtRest({ store, wrapper, primitives, random });
  const registrations = createPushRegistrations(store, atRest);
  const tells = senders.byKind.size > 0;
  const push = tells
    ? createPushDispatcher({
        store,
        registrations,
        senders,
        primitives,
        random,
        node: lease.node,
        clock,
        limits,
        log,
        metrics,
      })
    : NO_PUSH;
  const sharing = createRateSharing((message) => wire.bus.publish(message));
  const keys = createDayKeys({ store, wrapper, random });
  const retentionOf: RetentionOf = async (org) => (await organisations.find(org))?.state.policy ?? null;
  const readInTurn = createTurnstile(limits.catchUpReads);
  const logs = createGroupLogs({
    ...{ store, keys, primitives, random, clock, retentionOf },
    inTurn: (read) => readInTurn(() => traced('relay.read', {}, read)),
  });
  const appendQueue = createAppendQueue({
    logs,
    lanes,
    stored(run) {
      const sizeBytes = run.entries.reduce((sum, { bytes }) => sum + bytes.length, 0);
      const { firstSeq, entries } = run;
      const where = { org: shortId(run.org), group: shortId(run.group) };
      const statements = entries.filter(({ kind }) => kind === 'statement').length;
      log({ event: 'append', ...where, firstSeq, count: entries.length, statements, sizeBytes });
      feeds.stored(run);
      // The key of a new epoch is of no use without something to read.
      if (statements < entries.length) push.wake(run.org, 'everyone');
    },
    repeated: (org, group, seq) => feeds.wake(org, group, seq),
  });
  const queue = observedQueue(appendQueue, metrics);
  const feeds = createGroupFeeds({
    hub,
    readPage: logs.readEntries,
    checked: (org) => watch.check(org),
    publish: (message) => wire.bus.publish(message),
    isHearing: () => wire.bus.isAlive(),
  });
  let sockets: Sockets | null = null;
  let polls: Polls | null = null;
  const hintConnected: Sockets['hint'] = (...news) => {
    sockets?.hint(...news);
    polls?.hint(...news);
  };
  const hint: Sockets['hint'] = (org, devices, topic) => {
    hintConnected(org, devices, topic);
    push.wake(org, devices);
    for (const part of devices === 'everyone' ? [devices] : inParts(devices))
      wire.bus.publish({ type: 'hint', org, topic, devices: part });
  };
  const organisations = createOrganisations({
    store,
    primitives,
    signer,
    clock,
    idle: limits.idleOrganisations,
    grown({ org, state }) {
      log({ event: 'directory', org: shortId(org), size: state.size });
      sockets?.grown(org);
      polls?.grown(org);
      push.look();
    },
    everywhere: () => lease.everywhere(),
    mustWait: waits,
    added: () => wire.bus.publish({ type: 'look' }),
  });
  const watch = createSessionWatch({
    store,
    lookMs: limits.sessionLookMs,
    lease,
    caughtUp: (org, logSize) => organisations.catchUp(org, logSize),
    failed: () => log({ event: 'failed', where: 'sessions', code: 'database-failed' }),
    broken: (org) => log({ event: 'failed', where: 'directory', code: 'data-damaged', org: shortId(org) }),
  });
  const ownLogins = createLogins({
    store,
    organisations,
    primitives,
    random,
    clock,
    limits,
    relayName,
    isSettling: () => waits(Infinity),
    async reused(org, id) {
      log({ event: 'refresh-reused', org: shortId(org) });
      await watch.end({ of: 'session', org, id });
    },
  });
  const logins: Logins = {
    ...ownLogins,
    login: (org, subject, answer) =>
      traced('relay.login', { 'keytide.subject': subject.kind }, () => ownLogins.login(org, subject, answer)),
  };
  const admitStranger = createRateLimit(
    clock,
    limits.strangerBurst,
    limits.strangersPerSecond,
    sharing.named('strangers'),
  );
  // What only those can make who have the relay's key.
  const salt = signer.sign(encodeUtf8('addresses of callers') as Uint8Array);
  const callerRates = createCallerRates({ primitives, clock, limits, sharing, salt });
  const identity = options.identity === null ? NO_IDENTITY : createIdentityCheck(options.identity, clock);
  const gate = createGate(logins, organisations, clock);
  const blobs = createBlobs({ index: store, bytes: options.blobStore, logs: store, clock, limits });
  const ephemeralRates = createDeviceRates(
    clock,
    limits.ephemeralBurst,
    limits.ephemeralPerSecond,
    sharing.named('ephemeral'),
  );
  const shared = {
    primitives,
    store,
    logs,
    queue,
    feeds,
    clock,
    ephemeralRates,
    metrics,
    timeline: timeline.id,
  };
  const waiting = createPolls({
    feeds,
    watch,
    sessions: store,
    deviceOf: gate.deviceOf,
    readPage: logs.readEntries,
    clock,
    presence: push,
    most: limits.sockets,
    timeline: timeline.id,
  });
  polls = waiting;
  addRelayRoutes(app, {
    ...options,
    ...{ logs, organisations, identity, logins, gate, watch, primitives, blobs, atRest, sharing, hint },
    key: signer.publicKey,
    timeline: timeline.id,
    relayName,
    push: { registrations, senders, registered: push.registered },
    admitStranger,
    callerRates,
    polls: waiting,
    withPeer: createPeerLending({ watch, organisations, shared }),
  });
  const sharedIntake = new Intake(limits.intakeBytes);
  const served = serveSockets(app.server, {
    ...{ shared, logins, watch, organisations, limits, log },
    presence: push,
    sharedIntake,
    intakeOf: createShares(limits.intakeBytesOfOrganisation, sharedIntake),
    frameRates: callerRates.frames,
    origins: options.origins,
  });
  sockets = served;
  const forgetting = startForgetRounds({
    ...{ store, logs, keys, blobs, clock, log, metrics, primitives, signer, mayForget },
    retentionOf: newestPolicyOf({ store, organisations }),
    stateOf: async (org) => (await organisations.find(org))?.state ?? null,
    hint,
  });
  const heads = compareHeads({
    store,
    feeds,
    isHearing: () => wire.bus.isAlive(),
    everyMs: limits.headsMs,
    silentMs: limits.beatMs,
  });
  // What fails shows in the lease.
  const lookAgain = (): void => void watch.look().catch(() => undefined);
  const { carrier: open } = options;
  if (open !== null) {
    metrics.busAlive(false);
    wire.bus = openBus({
      open,
      random,
      beatMs: limits.beatMs,
      received(message) {
        if (message.type === 'head') return feeds.wake(message.org, message.group, message.seq);
        if (message.type === 'look') return lookAgain();
        if (message.type === 'hint') return hintConnected(message.org, message.devices, message.topic);
        if (message.type === 'spent') return sharing.received(message);
        const { org, group, frame } = message;
        hub.pass(org, group, encodeRelayFrame({ type: 'ephemeral', group, frame }), null);
      },
      subscribed() {
        heads.now();
        lookAgain();
      },
      turned(isAlive) {
        metrics.busAlive(isAlive);
        log({ event: 'bus', isAlive });
      },
    });
  }
  const pushing = tells ? setInterval(push.tick, limits.pushTickMs) : null;
  const recovering = tells && lease.node !== null ? setInterval(push.recover, RECOVER_MS) : null;
  return {
    look: () => watch.look(),
    databaseAnswers: () =>
      store.hasOrganisations().then(
        () => true,
        () => false,
      ),
    forget: () => forgetting.forget(),
    async drain(spreadMs) {
      log({ event: 'draining', sockets: served.count() });
      requests.sendAway();
      waiting.close();
      await served.drain(spreadMs);
      await requests.idle();
    },
    async endSessions(which) {
      await watch.end(which);
      log({ event: 'sessions-ended', of: which.of });
    },
    async close() {
      log({ event: 'closing' });
      for (const timer of [pushing, recovering]) if (timer !== null) clearInterval(timer);
      // It does its day to its end; nobody is served meanwhile.
      const forgot = forgetting.stop();
      served.stopAccepting();
      waiting.close();
      await queue.idle();
      await served.close();
      await app.close();
      await queue.idle();
      await forgot;
      heads.stop();
      await watch.close();
      await push.close();
      // After this nobody waits for this node.
      await lease.release().catch(() => undefined);
      await wire.bus.close();
      await store.close();
    },
  };
}

/** As many ids as fit into one message. */
function inParts<T>(ids: readonly T[]): (readonly T[])[] {
  return Array.from({ length: Math.ceil(ids.length / 100) }, (_, part) =>
    ids.slice(100 * part, 100 * part + 100),
  );
}

/** What there is to do with the parts of a relay once they work together. */
export interface Parts extends Pick<Relay, 'endSessions'> {
  look(): Promise<void>;
  databaseAnswers(): Promise<boolean>;
  forget(): Promise<boolean>;
  drain(spreadMs: number): Promise<void>;
  close(): Promise<void>;
}
