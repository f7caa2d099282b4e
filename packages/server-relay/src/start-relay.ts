import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { Random, Signer } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import type { FastifyInstance } from 'fastify';
import { createAppendQueue } from './append-queue.ts';
import { createAtRest } from './at-rest.ts';
import { addAccessRoutes } from './access-routes.ts';
import { addBlobRoutes } from './blob-routes.ts';
import { folderBlobStore, memoryBlobStore, type BlobStore } from './blob-store.ts';
import { createBlobs } from './blobs.ts';
import type { Clock } from './clock.ts';
import { addDataRoutes } from './data-routes.ts';
import { createDeviceRates, createMemberRates } from './device-rates.ts';
import { addDirectoryRoutes } from './directory-routes.ts';
import { RelayError } from './errors.ts';
import { createGate } from './gate.ts';
import { createHttpServer } from './http-server.ts';
import { createHub } from './hub.ts';
import { createIntake } from './intake.ts';
import { withKeyFile, type KeyFile } from './key-file.ts';
import { localKeyWrapper, type KeyWrapper } from './key-wrapper.ts';
import { DEFAULT_LIMITS, type RelayLimits } from './limits.ts';
import { shortId, type Log } from './log-event.ts';
import { createLogins } from './logins.ts';
import { addMailRoutes } from './mail-routes.ts';
import { addPreKeyRoutes } from './pre-key-routes.ts';
import { createOrganisations } from './organisations.ts';
import { createOrgData } from './org-data.ts';
import { answerBrowsers, createOrigins, type Origins } from './origins.ts';
import { createRateLimit } from './rate-limit.ts';
import { openRelayKey } from './relay-key.ts';
import { addRoutes } from './routes.ts';
import { serveSockets, type Sockets } from './sockets.ts';
import type { RelayStore } from './store.ts';
import { openStore, type DatabaseOptions, type OpenedStore } from './sql/open.ts';
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
  /** The origins of web pages that may use this relay, such as `https://app.example`. Default: none. */
  readonly origins?: readonly string[];
  readonly clock?: Clock;
  readonly random?: Random;
  /** Gets every log event. Default: one JSON line each on standard output. */
  readonly log?: Log;
  /** Where to differ from `DEFAULT_LIMITS`. */
  readonly limits?: Partial<RelayLimits>;
}

/** A relay that is listening. */
export interface Relay {
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** The origin that logins are bound to. */
  readonly name: string;
  /** Finishes what is under way, closes the sockets as 'going away' and the database. Once is enough. */
  close(): Promise<void>;
}

const FORGET_MS = 600_000;

/**
 * Starts a relay in this process.
 * @throws RelayError `data-folder-locked`, `database-failed`, `database-newer`, `migration-changed`, `address-in-use`,
 * `relay-key-missing`, `relay-key-unusable`, `data-key-missing`, `data-key-unusable`; TypeError for an origin that is
 * none
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const place = { url: '', name: '' };
  const origins = createOrigins(options.origins ?? [], () => place.name);
  const clock = options.clock ?? { now: () => Date.now() };
  const log = options.log ?? ((event) => void process.stdout.write(`${JSON.stringify(event)}\n`));
  const opened = await openStore(options.database, nodePrimitives, clock.now());
  const random = options.random ?? nodeRandom;
  let signer: Signer;
  let wrapper: KeyWrapper;
  try {
    signer = await openKey(options.database, random, opened.store);
    wrapper = await openWrapper(options.database, random, opened.store);
  } catch (error) {
    await opened.store.close();
    throw error;
  }
  const app = createHttpServer(log);
  answerBrowsers(app, origins);
  const parts = assemble(app, opened, { ...options, origins, clock, log, random, signer, wrapper }, place);
  try {
    place.url = await listen(app, options.host ?? '127.0.0.1', options.port ?? 8080);
    place.name = new URL(options.publicUrl ?? place.url).origin;
  } catch (error) {
    await parts.close();
    throw error;
  }
  log({ event: 'listening', url: place.url, name: place.name });
  let closing: Promise<void> | null = null;
  return { url: place.url, name: place.name, close: () => (closing ??= parts.close()) };
}

function assemble(
  app: FastifyInstance,
  { store, lanes }: OpenedStore,
  options: Omit<RelayOptions, 'origins'> & {
    origins: Origins;
    clock: Clock;
    log: Log;
    random: Random;
    signer: Signer;
    wrapper: KeyWrapper;
  },
  place: { readonly name: string },
): { close(): Promise<void> } {
  const { clock, log, random, signer, wrapper } = options;
  const primitives = nodePrimitives;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const relayName = (): string => place.name;
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  const hub = createHub();
  const queue = createAppendQueue({
    store,
    lanes,
    clock,
    stored(run) {
      const sizeBytes = run.entries.reduce((sum, { bytes }) => sum + bytes.length, 0);
      const { firstSeq, entries } = run;
      const where = { org: shortId(run.org), group: shortId(run.group) };
      const statements = entries.filter(({ kind }) => kind === 'statement').length;
      log({ event: 'append', ...where, firstSeq, count: entries.length, statements, sizeBytes });
      hub.publish(run);
    },
    repeated: (org, group, seq) => hub.mention(org, group, seq),
  });
  let sockets: Sockets | null = null;
  const organisations = createOrganisations({
    store,
    primitives,
    signer,
    clock,
    idle: limits.idleOrganisations,
    grown({ org, state }) {
      log({ event: 'directory', org: shortId(org), size: state.size });
      sockets?.grown(org);
    },
  });
  const logins = createLogins({
    store,
    organisations,
    primitives,
    random,
    clock,
    limits,
    relayName,
  });
  const admitStranger = createRateLimit(clock, limits.strangerBurst, limits.strangersPerSecond);
  const gate = createGate(logins, organisations, clock);
  const key = signer.publicKey;
  addRoutes(app, { store, organisations, logins, gate, log, version, key, relayName, admitStranger });
  addDirectoryRoutes(app, { store, gate, primitives, clock });
  addMailRoutes(app, {
    store,
    gate,
    clock,
    limits,
    rates: createMemberRates(clock, limits.mailBurst, limits.mailPerSecond),
    hint: (org, device) => sockets?.hint(org, [device], 'mail'),
  });
  addPreKeyRoutes(app, {
    store,
    gate,
    clock,
    rates: createMemberRates(clock, limits.preKeyBurst, limits.preKeysPerSecond),
  });
  const atRest = createAtRest({ store, wrapper, primitives, random });
  addDataRoutes(app, {
    data: createOrgData(store, atRest, limits.documents),
    gate,
    hint: (org) => sockets?.hint(org, 'everyone', 'data'),
  });
  const hint: Sockets['hint'] = (...news) => sockets?.hint(...news);
  addWipeRoutes(app, { store, gate, primitives, hint, log });
  addUnlockRoutes(app, { store, gate, primitives, clock, log, admitStranger });
  addAccessRoutes(app, {
    store,
    gate,
    primitives,
    clock,
    limits,
    rates: createMemberRates(clock, limits.accessBurst, limits.accessPerSecond),
    hint,
  });
  const blobs = createBlobs({ index: store, bytes: blobStoreOf(options.database), clock, limits });
  addBlobRoutes(app, { blobs, gate });
  const served = serveSockets(app.server, {
    primitives,
    store,
    queue,
    hub,
    ephemeralRates: createDeviceRates(clock, limits.ephemeralBurst, limits.ephemeralPerSecond),
    readInTurn: createTurnstile(limits.catchUpReads),
    logins,
    organisations,
    clock,
    limits,
    log,
    sharedIntake: createIntake(limits.intakeBytes),
    origins: options.origins,
  });
  sockets = served;
  const forgetting = setInterval(() => {
    store
      .forgetExpired(clock.now())
      .catch(() => log({ event: 'failed', where: 'forget', code: 'database-failed' }));
    blobs
      .forgetOld(async (org) => (await organisations.find(org))?.state.policy ?? null)
      .catch(() => log({ event: 'failed', where: 'forget', code: 'blobs-failed' }));
  }, FORGET_MS);
  return {
    async close() {
      log({ event: 'closing' });
      clearInterval(forgetting);
      served.stopAccepting();
      await queue.idle();
      await served.close();
      await app.close();
      await queue.idle();
      await store.close();
    },
  };
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
  database: DatabaseOptions,
  random: Random,
  store: RelayStore,
): Promise<KeyWrapper> {
  const use = (key: Uint8Array): KeyWrapper => localKeyWrapper(nodePrimitives, random, key);
  if (database.kind === 'memory') return use(random(32));
  const names = await store.wrappingKeys();
  const path = database.kind === 'pglite' ? join(database.folder, 'data-key') : `${database.keyFile}.data`;
  const file: KeyFile = { path, isFirstStart: names.length === 0 };
  const wrapper = await withKeyFile('data', random, file, use);
  if (names.some((name) => name !== wrapper.keyName))
    throw new RelayError('data-key-missing', 'the data key at its place is not the one that was used before');
  return wrapper;
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new RelayError('address-in-use', `port ${port} of ${host} is taken`, { cause });
  }
  const { address, family, port: actual } = app.server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${actual}`;
}
