import { createRequire } from 'node:module';
import { uptime } from 'node:os';
import { dirname, join } from 'node:path';
import type { Random, Signer } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { encodeRelayFrame, type IdentityProvider } from '@keytide/relay-protocol';
import type { FastifyInstance } from 'fastify';
import { createAppendQueue } from './append-queue.ts';
import { createAtRest } from './at-rest.ts';
import { addAccessRoutes } from './access-routes.ts';
import { addBlobRoutes } from './blob-routes.ts';
import { folderBlobStore, memoryBlobStore, type BlobStore } from './blob-store.ts';
import { createBlobs } from './blobs.ts';
import type { Clock } from './clock.ts';
import { watchClock } from './clock-watch.ts';
import { createRoutes } from './create-routes.ts';
import { addDataRoutes } from './data-routes.ts';
import { createDayKeys } from './day-keys.ts';
import { createDeviceRates, createMemberRates } from './device-rates.ts';
import { addDirectoryRoutes } from './directory-routes.ts';
import { addEntryRoutes } from './entry-routes.ts';
import { RelayError, sessionEnded } from './errors.ts';
import { openBus, NO_BUS, type Bus } from './cluster/bus.ts';
import { carrierOf } from './cluster/carrier.ts';
import { createGroupFeeds } from './cluster/group-feeds.ts';
import { compareHeads } from './cluster/compare-heads.ts';
import { ALONE, createLease, leaseMsOf, type Lease } from './cluster/lease.ts';
import { createGate } from './gate.ts';
import { createGroupLogs } from './group-logs.ts';
import { createHttpServer, listen, useTls } from './http-server.ts';
import { createHub } from './hub.ts';
import { createIdentityCheck, NO_IDENTITY } from './identity-check.ts';
import { createIntake } from './intake.ts';
import { dataKeyPath, openDataKeyFile } from './data-key-file.ts';
import { localKeyWrapper, type KeyWrapper } from './key-wrapper.ts';
import { DEFAULT_LIMITS, type RelayLimits } from './limits.ts';
import { shortId, type Log } from './log-event.ts';
import { startLogForgetting } from './log-forgetting.ts';
import { createLogins, type Logins } from './logins.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { observedQueue } from './observed-queue.ts';
import { addMailRoutes } from './mail-routes.ts';
import { addPreKeyRoutes } from './pre-key-routes.ts';
import { newestPolicyOf } from './newest-policy.ts';
import { createPeer } from './peer.ts';
import { createPolls, type Polls } from './polls.ts';
import { createOrganisations } from './organisations.ts';
import { createOrgData } from './org-data.ts';
import { answerBrowsers, createOrigins, type Origins } from './origins.ts';
import { checkKeyWrapper } from './keys/check-key-wrapper.ts';
import { addOpenApiRoute } from './openapi-route.ts';
import { createRateLimit } from './rate-limit.ts';
import { createRateSharing } from './rate-sharing.ts';
import { openRelayKey } from './relay-key.ts';
import { createPushDispatcher, NO_PUSH } from './push/dispatcher.ts';
import { createPushRegistrations } from './push/registrations.ts';
import { addPushRoutes } from './push/routes.ts';
import { createPushSenders, type PushOptions, type PushSenders } from './push/senders.ts';
import { watchRequests } from './requests.ts';
import { addRetentionRoutes } from './retention-routes.ts';
import type { RetentionOf } from './retention.ts';
import { addRoutes } from './routes.ts';
import { addSessionRoutes } from './session-routes.ts';
import type { SessionsToEnd } from './session-store.ts';
import { createSessionWatch } from './session-watch.ts';
import { serveSockets, type Sockets } from './sockets.ts';
import type { RelayStore } from './store.ts';
import { openStore, type DatabaseOptions, type OpenedStore } from './sql/open.ts';
import { readTls, type TlsFiles } from './tls-files.ts';
import { traced } from './traced.ts';
import { createTurnstile } from './turnstile.ts';
import { addUnlockRoutes } from './unlock-routes.ts';
import { addWipeRoutes } from './wipe-routes.ts';

/** How to start a relay. */
export interface RelayOptions {
  readonly database: DatabaseOptions;
  /** The address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Default 8080; 0 for any free one. */
  readonly port?: number;
  /** The origin under which clients reach the relay, when that is not host and port. Logins are bound to it. */
  readonly publicUrl?: string;
  /** To speak TLS in this process; without it, something in front of the relay does. */
  readonly tls?: TlsFiles;
  /** The origins of web pages that may use this relay, such as `https://app.example`. Default: none. */
  readonly origins?: readonly string[];
  /**
   * Wraps the data keys of organisations, instead of the key file. For what another one wrapped, a `keyRing` with it:
   * for the key file's `openDataKeyFile`.
   */
  readonly keyWrapper?: KeyWrapper;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Gets every log event. Default: one JSON line each on standard output. */
  readonly log?: Log;
  /** How devices are told while they are not connected. Default: not at all. */
  readonly push?: PushOptions;
  /** Who has to vouch for whoever founds an organisation or uses an invite. Default: nobody. */
  readonly identity?: IdentityProvider;
  /** Where to differ from `DEFAULT_LIMITS`. */
  readonly limits?: Partial<RelayLimits>;
  /** Gets what an HTTP answer has that its route does not declare. For tests: to look costs time. */
  readonly undeclared?: (what: string) => void;
}

/** A relay that is listening. */
export interface Relay {
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** The origin that logins are bound to. */
  readonly name: string;
  /** Whether it takes new sockets and its database answers. */
  isReady(): Promise<boolean>;
  /** What it counts of itself, in the text format of Prometheus. */
  metrics(): Promise<string>;
  /**
   * Reads the certificate and its key again, for connections from now on.
   * @throws RelayError `tls-unusable`: those of before stay
   */
  reload(): Promise<void>;
  /**
   * Lets go of everybody in good order, then closes: no new sockets, the open ones a few at a time over `spreadMs`,
   * each answered what it asked, and every request answered. Takes as long as the slowest answer.
   */
  drain(spreadMs: number): Promise<void>;
  /**
   * Ends sessions: when it resolves, nothing more reaches them. For who runs the relay; `killSessions` does it from outside.
   * @throws RelayError `database-failed`
   */
  endSessions(which: SessionsToEnd): Promise<void>;
  /** Forgets at once what is over of group logs: what it otherwise does each hour. Resolves to whether all of it went. */
  forget(): Promise<boolean>;
  /** Finishes what is under way, closes the sockets as 'going away' and the database. Once is enough. */
  close(): Promise<void>;
}

const FORGET_MS = 600_000;
const RECOVER_MS = 60_000;

/**
 * Starts a relay in this process.
 * @throws RelayError `data-folder-locked`, `database-failed`, `database-newer`, `migration-changed`, `address-in-use`,
 * `relay-key-missing`, `relay-key-unusable`, `data-key-missing`, `data-key-unusable`, `key-service-failed`,
 * `key-service-refused`, `tls-unusable`; TypeError for an origin that is none, and for what
 * cannot be used of `push`
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const place = { url: '', name: '' };
  const origins = createOrigins(options.origins ?? [], () => place.name);
  const clock = options.clock ?? { now: () => Date.now() };
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const senders = createPushSenders(options.push ?? {}, clock, limits.pushTimeoutMs);
  const log = options.log ?? ((event) => void process.stdout.write(`${JSON.stringify(event)}\n`));
  const tls = options.tls === undefined ? null : await readTls(options.tls);
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  const metrics = createMetrics(clock, version);
  const opened = await openStore(options.database, nodePrimitives, clock.now(), metrics.databaseFailed);
  const random = options.random ?? nodeRandom;
  let signer: Signer;
  let wrapper: KeyWrapper;
  let lease: Lease = ALONE;
  const wire = { bus: NO_BUS };
  try {
    signer = await openKey(options.database, random, opened.store);
    wrapper = await openWrapper(options, random, opened.store);
    if (carrierOf(options.database, signer.publicKey) !== null)
      lease = await createLease({
        store: opened.store,
        random,
        relayKey: signer.publicKey,
        leaseMs: leaseMsOf(limits),
        wake: () => wire.bus.publish({ type: 'look' }),
      });
  } catch (error) {
    await opened.store.close();
    throw error;
  }
  const app = createHttpServer({ log, metrics, tls, limits: { ...DEFAULT_LIMITS, ...options.limits } });
  answerBrowsers(app, origins);
  const parts = assemble(
    app,
    opened,
    {
      ...options,
      limits,
      senders,
      origins,
      clock,
      log,
      random,
      signer,
      wrapper,
      metrics,
      version,
      lease,
      wire,
      // Whoever gives the time answers for it.
      mayForget: options.clock === undefined ? null : () => Promise.resolve(true),
    },
    place,
  );
  try {
    // A node shows nothing before it has looked, and so does not answer either.
    await parts.look();
    place.url = await listen(app, options.host ?? '127.0.0.1', options.port ?? 8080);
    place.name = new URL(options.publicUrl ?? place.url).origin;
  } catch (error) {
    await parts.close();
    throw error;
  }
  log({ event: 'listening', url: place.url, name: place.name });
  let closing: Promise<void> | null = null;
  let draining: Promise<void> | null = null;
  const close = (): Promise<void> => (closing ??= parts.close());
  return {
    url: place.url,
    name: place.name,
    isReady: async () =>
      draining === null && closing === null && lease.isHeld() && (await parts.databaseAnswers()),
    metrics: () => metrics.text(),
    async reload() {
      if (options.tls === undefined) return;
      useTls(app, await readTls(options.tls));
      log({ event: 'reloaded', what: 'tls' });
    },
    drain: (spreadMs) => (draining ??= parts.drain(spreadMs).then(close)),
    endSessions: parts.endSessions,
    forget: parts.forget,
    close,
  };
}

function assemble(
  app: FastifyInstance,
  { store, lanes }: OpenedStore,
  options: Omit<RelayOptions, 'origins' | 'limits'> & {
    senders: PushSenders;
    origins: Origins;
    clock: Clock;
    log: Log;
    random: Random;
    signer: Signer;
    wrapper: KeyWrapper;
    metrics: Metrics;
    version: string;
    limits: RelayLimits;
    lease: Lease;
    /** Where news for other nodes goes; the bus comes last. */
    wire: { bus: Bus };
    /** Whether the clock is one to forget by; `null`: it is watched. */
    mayForget: (() => Promise<boolean>) | null;
  },
  place: { readonly name: string },
): Parts {
  const { clock, limits, log, random, senders, signer, wrapper, metrics, version, lease, wire } = options;
  const primitives = nodePrimitives;
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
  const ofMembers = (name: string) => ({
    ofDevice: sharing.named(name),
    ofMember: sharing.named(`${name} of member`),
  });
  const keys = createDayKeys({ store, wrapper, random });
  const retentionOf: RetentionOf = async (org) => (await organisations.find(org))?.state.policy ?? null;
  const logs = createGroupLogs({ store, keys, primitives, random, clock, retentionOf });
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
  const readInTurn = createTurnstile(limits.catchUpReads);
  const feeds = createGroupFeeds({
    hub,
    readPage: (org, group, after) =>
      readInTurn(() => traced('relay.read', {}, () => logs.readEntries(org, group, after))),
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
    added: () => wire.bus.publish({ type: 'look' }),
  });
  const watch = createSessionWatch({
    store,
    lookMs: limits.sessionLookMs,
    lease,
    caughtUp: (org, logSize) => organisations.catchUp(org, logSize),
    failed: () => log({ event: 'failed', where: 'sessions', code: 'database-failed' }),
  });
  const ownLogins = createLogins({
    store,
    organisations,
    primitives,
    random,
    clock,
    limits,
    relayName,
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
  const identity =
    options.identity === undefined ? NO_IDENTITY : createIdentityCheck(options.identity, clock);
  const gate = createGate(logins, organisations, clock);
  const key = signer.publicKey;
  const { undeclared = null } = options;
  const routes = createRoutes(app, { gate, admitStranger, bodiesBytes: limits.intakeBytes, undeclared });
  addOpenApiRoute(routes, version);
  addRoutes(routes, { store, logs, organisations, identity, log, version, key, relayName });
  addSessionRoutes(routes, { logins, gate, watch, identity, log });
  addDirectoryRoutes(routes, { store, primitives, clock });
  addPushRoutes(routes, { registrations, senders, gate, sessions: store, registered: push.registered });
  addMailRoutes(routes, {
    store,
    clock,
    limits,
    rates: createMemberRates(clock, limits.mailBurst, limits.mailPerSecond, ofMembers('mail')),
    hint: (org, device) => hint(org, [device], 'mail'),
  });
  addPreKeyRoutes(routes, {
    store,
    clock,
    rates: createMemberRates(clock, limits.preKeyBurst, limits.preKeysPerSecond, ofMembers('pre-keys')),
  });
  addDataRoutes(routes, {
    data: createOrgData(store, atRest, limits.documents),
    hint: (org) => hint(org, 'everyone', 'data'),
  });
  addRetentionRoutes(routes, { store, primitives, clock });
  addWipeRoutes(routes, { store, primitives, hint, log });
  addUnlockRoutes(routes, { store, primitives, clock, log });
  addAccessRoutes(routes, {
    store,
    primitives,
    clock,
    limits,
    rates: createMemberRates(clock, limits.accessBurst, limits.accessPerSecond, ofMembers('access')),
    hint,
  });
  const blobs = createBlobs({ index: store, bytes: blobStoreOf(options.database), clock, limits });
  addBlobRoutes(routes, { blobs });
  const readTraced = <T>(read: () => Promise<T>): Promise<T> =>
    readInTurn(() => traced('relay.read', {}, read));
  const ephemeralRates = createDeviceRates(
    clock,
    limits.ephemeralBurst,
    limits.ephemeralPerSecond,
    sharing.named('ephemeral'),
  );
  const waiting = createPolls({
    feeds,
    watch,
    sessions: store,
    deviceOf: gate.deviceOf,
    readPage: (org, group, afterSeq) => readTraced(() => logs.readEntries(org, group, afterSeq)),
    clock,
    most: limits.sockets,
  });
  polls = waiting;
  addEntryRoutes(routes, {
    polls: waiting,
    clock,
    async withPeer({ org, device }, outlet, use) {
      const pinned = await organisations.pin(org);
      if (pinned === null) throw sessionEnded();
      const { organisation, release } = pinned;
      const upToDate = (): Promise<void> => watch.check(org);
      const shared = { primitives, store, logs, queue, feeds, clock, ephemeralRates, metrics };
      const mine = { organisation, device: device.id, outlet, upToDate, failed: () => undefined };
      const peer = createPeer({ ...shared, ...mine, readInTurn: readTraced });
      await use(peer).finally(release);
    },
  });
  const served = serveSockets(app.server, {
    primitives,
    store,
    logs,
    queue,
    feeds,
    ephemeralRates,
    readInTurn: readTraced,
    metrics,
    logins,
    watch,
    organisations,
    clock,
    limits,
    log,
    presence: push,
    sharedIntake: createIntake(limits.intakeBytes),
    origins: options.origins,
  });
  sockets = served;
  const policyOf = newestPolicyOf({ store, organisations });
  const mayForget =
    options.mayForget ?? watchClock({ clock, upMs: () => uptime() * 1000, newestDay: store.newestDay });
  const logForgetting = startLogForgetting({
    ...{ store, logs, keys, clock, retentionOf: policyOf, log, primitives, signer, mayForget },
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
  const open = carrierOf(options.database, key);
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
  const forgetting = setInterval(() => {
    const rows = store.forgetExpired(clock.now()).catch(() => failed('database-failed'));
    const bytes = forgetBlobs().catch(() => failed('blobs-failed'));
    void Promise.all([rows, bytes]).then((outcomes) => {
      if (!outcomes.includes('failed') && !logForgetting.isBehind) metrics.expired();
    });
  }, FORGET_MS);
  async function forgetBlobs(): Promise<void> {
    if (await mayForget()) await blobs.forgetOld(policyOf);
  }
  function failed(code: string): 'failed' {
    log({ event: 'failed', where: 'forget', code });
    return 'failed';
  }
  const pushing = tells ? setInterval(push.tick, limits.pushTickMs) : null;
  const recovering = tells && lease.node !== null ? setInterval(push.recover, RECOVER_MS) : null;
  return {
    look: () => watch.look(),
    async databaseAnswers() {
      return store.hasOrganisations().then(
        () => true,
        () => false,
      );
    },
    forget: () => logForgetting.round(),
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
      clearInterval(forgetting);
      if (pushing !== null) clearInterval(pushing);
      await logForgetting.stop();
      for (const timer of [pushing, recovering]) if (timer !== null) clearInterval(timer);
      served.stopAccepting();
      waiting.close();
      await queue.idle();
      await served.close();
      await app.close();
      await queue.idle();
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
interface Parts extends Pick<Relay, 'endSessions'> {
  look(): Promise<void>;
  databaseAnswers(): Promise<boolean>;
  forget(): Promise<boolean>;
  drain(spreadMs: number): Promise<void>;
  close(): Promise<void>;
}

async function openKey(database: DatabaseOptions, random: Random, store: RelayStore): Promise<Signer> {
  if (database.kind === 'memory') return nodePrimitives.signer(random(32));
  const path = database.kind === 'pglite' ? join(database.folder, 'relay-key') : database.keyFile;
  return openRelayKey(nodePrimitives, random, { path, isFirstStart: !(await store.hasOrganisations()) });
}

function blobStoreOf(database: DatabaseOptions): BlobStore {
  if (database.kind === 'memory') return memoryBlobStore();
  if (database.kind === 'pglite') return folderBlobStore(join(database.folder, 'blobs'));
  return folderBlobStore(database.blobFolder ?? join(dirname(database.keyFile), 'blobs'));
}

/** @throws RelayError `data-key-missing`, also when the key there is not the one that wraps what is stored */
async function openWrapper(
  { database, keyWrapper }: Pick<RelayOptions, 'database' | 'keyWrapper'>,
  random: Random,
  store: RelayStore,
): Promise<KeyWrapper> {
  const names = await store.wrappingKeys();
  const ofDatabase = async (): Promise<KeyWrapper> =>
    database.kind === 'memory'
      ? localKeyWrapper(nodePrimitives, random, random(32))
      : openDataKeyFile(dataKeyPath(database), random, names.length === 0);
  const wrapper = keyWrapper ?? (await ofDatabase());
  if (names.some((name) => !wrapper.unwraps(name)))
    throw new RelayError('data-key-missing', 'the data key at its place is not the one that was used before');
  if (keyWrapper !== undefined) await checkKeyWrapper(keyWrapper, random);
  return wrapper;
}
