import { blobStoreOf } from './blob-store.ts';
import { assembleRelay } from './assemble-relay.ts';
import { checkWrapper, openSigner, openWrapper } from './open-keys.ts';
import type { Relay, RelayOptions } from './relay.ts';
import { createRequire } from 'node:module';
import { uptime } from 'node:os';
import type { Signer } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { watchClock } from './clock-watch.ts';
import { NO_BUS, type OpenCarrier } from './cluster/bus.ts';
import { carrierOf } from './cluster/carrier.ts';
import { ALONE, createLease, leaseMsOf, type Lease } from './cluster/lease.ts';
import { createHttpServer, listen, useTls } from './http-server.ts';
import { replaceableWrapper, type ReplaceableWrapper } from './keys/replaceable-wrapper.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { createMetrics } from './metrics.ts';
import { answerBrowsers, createOrigins } from './origins.ts';
import { createPushSenders, replaceableSenders, type PushOptions, type PushSenders } from './push/senders.ts';
import { openStore } from './sql/open.ts';
import { readTls } from './tls-files.ts';

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
  const sendersOf = (push: PushOptions): PushSenders => createPushSenders(push, clock, limits.pushTimeoutMs);
  const senders = replaceableSenders(sendersOf(options.push ?? {}), 2 * limits.pushTimeoutMs);
  const log = options.log ?? ((event) => void process.stdout.write(`${JSON.stringify(event)}\n`));
  const tls = options.tls === undefined ? null : await readTls(options.tls);
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  const metrics = createMetrics(clock, version);
  const opened = await openStore(options.database, nodePrimitives, clock.now(), metrics.databaseFailed);
  const random = options.random ?? nodeRandom;
  let signer: Signer;
  let wrapper: ReplaceableWrapper;
  let carrier: OpenCarrier | null;
  let lease: Lease = ALONE;
  const wire = { bus: NO_BUS };
  try {
    signer = await openSigner(options.database, random, opened.store);
    wrapper = replaceableWrapper(await openWrapper(options, random, opened.store));
    carrier = await carrierOf(options.database, signer.publicKey);
    if (carrier !== null)
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
  const app = createHttpServer({ log, metrics, tls, trustedProxies: options.trustedProxies ?? 0, limits });
  answerBrowsers(app, origins);
  const parts = assembleRelay({
    ...opened,
    app,
    place,
    carrier,
    blobStore: options.blobStore ?? blobStoreOf(options.database),
    identity: options.identity ?? null,
    undeclared: options.undeclared ?? null,
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
    mayForget:
      options.clock === undefined
        ? watchClock({
            clock,
            upMs: () => uptime() * 1000,
            newestDay: opened.store.newestDay,
            doubt: opened.clockDoubt,
          })
        : () => Promise.resolve(true),
  });
  try {
    // A node shows nothing before it has looked, and so does not answer either.
    await parts.look();
    place.url = await listen(app, options.host ?? '127.0.0.1', options.port ?? 8080);
    place.name = new URL(options.publicUrl ?? place.url).origin;
    await opened.beginServing(clock.now());
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
    async useKeyWrapper(fresh) {
      await checkWrapper(fresh, random, opened.store);
      wrapper.replace(fresh);
    },
    usePush: (push) => senders.replace(sendersOf(push)),
    drain: (spreadMs) => (draining ??= parts.drain(spreadMs).then(close)),
    endSessions: parts.endSessions,
    forget: parts.forget,
    close,
  };
}
