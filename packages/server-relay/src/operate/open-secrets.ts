import { nodeRandom } from '@keytide/crypto-core/node';
import { pingRedis } from '../cluster/redis-carrier.ts';
import { RelayError } from '../errors.ts';
import { checkS3Bucket } from '../keys/check-s3-bucket.ts';
import { openWrappingKeys } from '../keys/open-wrapping-keys.ts';
import type { S3Bucket } from '../keys/s3-bucket.ts';
import type { Log } from '../log-event.ts';
import type { Relay, RelayOptions } from '../relay.ts';
import type { PushOptions } from '../push/senders.ts';
import { s3BlobStore } from '../s3-blob-store.ts';
import { visitPostgres } from '../sql/postgres.ts';
import { withAddresses, type AddressKey } from './addresses.ts';
import { relayOptionsOf, wrappingKeysOf } from './config-options.ts';
import type { Config } from './config-schema.ts';
import { about, isReference, type Environment } from './config-secrets.ts';
import { openBucket } from './open-blobs.ts';
import { openPush } from './open-push.ts';

/** What the secrets of a configuration lead to, open. */
export interface OpenedSecrets {
  /** What a relay is started with, secrets and all. */
  readonly options: RelayOptions;
  /**
   * Reads every secret again. What can be used takes the place of what was there before (`reloaded` in the log); of what
   * cannot, the log says the code, and what was there before stays. Never rejects; calls come one after the other.
   */
  renew(relay: Pick<Relay, 'reload' | 'useKeyWrapper' | 'usePush'>): Promise<void>;
  /** Renews no tokens any more. */
  close(): void;
}

type Renewal = (relay: Pick<Relay, 'useKeyWrapper' | 'usePush'>) => Promise<void>;

/**
 * Reads the secrets of a configuration and opens what they lead to.
 * @throws RelayError `bad-reference`, `data-key-missing`, `data-key-unusable`, `secret-missing`, `secret-unusable`,
 * `key-service-failed`, `key-service-refused`
 */
export async function openSecrets(
  config: Config,
  environment: Environment,
  log: Log,
): Promise<OpenedSecrets> {
  let addresses = await withAddresses(config, ['databaseUrl', 'redisUrl'], environment);
  const named = wrappingKeysOf(config);
  const openKeys = async () => named && (await openWrappingKeys({ ...named, environment, log }));
  let keys = await openKeys();
  let bucket: S3Bucket | null = null;
  let push: PushOptions;
  try {
    bucket = await openBucket(config, environment);
    push = await openPush(config, environment);
  } catch (error) {
    keys?.close();
    throw error;
  }

  async function renewAddress(key: AddressKey, check: (fresh: string) => Promise<void>): Promise<void> {
    const { [key]: fresh = '' } = await withAddresses(config, [key], environment);
    if (!isSamePlace(fresh, addresses[key] ?? ''))
      throw about(
        key,
        new RelayError('secret-unusable', 'another server, or another database: that takes a start'),
      );
    await check(fresh);
    addresses = { ...addresses, [key]: fresh };
  }

  const renewals: readonly (readonly [what: string, isMeant: boolean, renew: Renewal])[] = [
    ['databaseUrl', isReference(config.databaseUrl), () => renewAddress('databaseUrl', requirePostgres)],
    ['redisUrl', isReference(config.redisUrl), () => renewAddress('redisUrl', requireRedis)],
    [
      'wrappingKeys',
      named !== null,
      async (relay) => {
        const fresh = await openKeys();
        if (fresh === null) return;
        await relay.useKeyWrapper(fresh.wrapper).catch((error: unknown) => {
          fresh.close();
          throw error;
        });
        keys?.close();
        keys = fresh;
      },
    ],
    [
      's3SecretKey',
      config.s3SecretKey !== undefined,
      async () => {
        const fresh = await openBucket(config, environment);
        if (fresh !== null) await checkS3Bucket(fresh, nodeRandom);
        bucket = fresh;
      },
    ],
    [
      'push',
      [config.webPushKey, config.expoAccessToken, config.webhookSecret].some((one) => one !== undefined),
      async (relay) => relay.usePush(await openPush(config, environment)),
    ],
  ];

  async function attempt(what: string, renew: () => Promise<void>): Promise<void> {
    try {
      await renew();
    } catch (error) {
      const code = error instanceof RelayError ? error.code : 'bug';
      log({ event: 'failed', where: 'reload', code, what });
      return;
    }
    log({ event: 'reloaded', what });
  }

  let last = Promise.resolve();
  return {
    options: {
      ...relayOptionsOf(addresses),
      database: databaseOf(),
      ...(keys === null ? {} : { keyWrapper: keys.wrapper }),
      ...(bucket === null ? {} : { blobStore: s3BlobStore(current(() => bucket as S3Bucket)) }),
      push,
      log,
    },
    renew(relay) {
      last = last.then(async () => {
        if (config.tlsKeyFile !== undefined) await attempt('tls', () => relay.reload());
        for (const [what, isMeant, renew] of renewals) if (isMeant) await attempt(what, () => renew(relay));
      });
      return last;
    },
    close: () => keys?.close(),
  };

  function databaseOf(): RelayOptions['database'] {
    const { database } = relayOptionsOf(addresses);
    if (database.kind !== 'postgres') return database;
    const cluster = database.cluster && {
      ...(addresses.redisUrl === undefined ? {} : { redisUrl: () => addresses.redisUrl as string }),
    };
    const url = (): string => addresses.databaseUrl as string;
    return { ...database, url, ...(cluster === undefined ? {} : { cluster }) };
  }
}

/** Whichever bucket it is at the time of a call. */
function current(now: () => S3Bucket): S3Bucket {
  return {
    put: (...put) => now().put(...put),
    get: (key) => now().get(key),
    delete: (key) => now().delete(key),
    list: (prefix) => now().list(prefix),
  };
}

/** User and password may change under way; what is there must be the same. */
function isSamePlace(fresh: string, before: string): boolean {
  const [one, other] = [fresh, before].map((address) => {
    const { protocol, host, pathname, searchParams } = new URL(address);
    return [
      protocol,
      host,
      pathname,
      ...['host', 'hostaddr', 'port', 'dbname'].map((name) => searchParams.get(name)),
    ];
  });
  return JSON.stringify(one) === JSON.stringify(other);
}

async function requirePostgres(url: string): Promise<void> {
  const visited = visitPostgres(url);
  try {
    await visited.query('select 1');
  } finally {
    await visited.close();
  }
}

async function requireRedis(url: string): Promise<void> {
  if (!(await pingRedis(url)))
    throw about('redisUrl', new RelayError('secret-unusable', 'Redis does not take it'));
}
