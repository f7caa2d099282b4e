import { readFile, stat, statfs } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { RelayError } from '../errors.ts';
import { relayKeyPath } from '../open-keys.ts';
import { TOO_OPEN } from '../key-file.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import type { SqlDatabase } from '../sql/database.ts';
import { pendingMigrations, readMigrations } from '../sql/migrate.ts';
import { visitDatabase } from '../sql/open.ts';
import { readTls } from '../tls-files.ts';
import { checkS3Bucket } from '../keys/check-s3-bucket.ts';
import { checkKeyWrapper } from '../keys/check-key-wrapper.ts';
import { openWrappingKeys } from '../keys/open-wrapping-keys.ts';
import { sqlNodes } from '../sql/nodes.ts';
import { withAddresses } from './addresses.ts';
import { relayOptionsOf, wrappingKeysOf } from './config-options.ts';
import type { Config } from './config-schema.ts';
import type { Finding } from './finding.ts';
import { openBucket } from './open-blobs.ts';
import { openPush } from './open-push.ts';
import { REMEDIES } from './remedies.ts';
import { heldAttachments, storedAttachments } from './stored-attachments.ts';

const SKEW_MS = 2_000;
const SPARE_BYTES = 1_073_741_824;
/** Files that a relay has open beside its sockets. */
const OTHER_FILES = 256;

/** Looks for what would keep a relay from running well, beside one that may be running. Changes nothing. */
export async function* examine(config: Config, nowMs: number): AsyncGenerator<Finding> {
  const startMs = performance.now();
  const now = (): number => nowMs + (performance.now() - startMs);
  yield publicName(config);
  yield await certificate(config);
  yield management(config);
  let reached: Config | null = null;
  try {
    reached = await withAddresses(config, ['databaseUrl'], process.env);
  } catch (error) {
    yield failure('database', error);
  }
  if (reached !== null) yield* await database(reached, now);
  if (config.nodes > 1) yield* await cluster(config, reached);
  yield* await keyFiles(config);
  if (config.s3Bucket !== undefined) yield await bucket(config);
  yield await push(config);
  yield await room(config);
  yield await openFiles(config);
}

function publicName({ publicUrl, host }: Config): Finding {
  const check = 'publicUrl';
  if (publicUrl === undefined)
    return {
      verdict: 'warn',
      check,
      says: 'not set: logins are bound to host and port; set the URL that devices use',
    };
  if (new URL(publicUrl).protocol === 'http:' && !isLoopback(host))
    return { verdict: 'warn', check, says: 'is http: tokens cross the network in the clear; use https' };
  return { verdict: 'ok', check, says: 'set' };
}

async function certificate({ tlsCertificateFile, tlsKeyFile }: Config): Promise<Finding> {
  const check = 'tls';
  if (tlsCertificateFile === undefined || tlsKeyFile === undefined)
    return { verdict: 'ok', check, says: 'not in this process: something in front of it speaks TLS' };
  try {
    await readTls({ certificateFile: tlsCertificateFile, keyFile: tlsKeyFile });
    return { verdict: 'ok', check, says: 'the certificate and its key belong together' };
  } catch (error) {
    return failure(check, error);
  }
}

function management({ managementHost }: Config): Finding {
  const check = 'management';
  if (isLoopback(managementHost)) return { verdict: 'ok', check, says: 'on loopback only' };
  return { verdict: 'warn', check, says: 'not on loopback: only the monitoring may reach managementPort' };
}

async function database(config: Config, now: () => number): Promise<Finding[]> {
  const check = 'database';
  let visited: SqlDatabase | null = null;
  try {
    visited = await visitDatabase(relayOptionsOf(config).database);
    if (visited === null) return [{ verdict: 'ok', check, says: 'none yet: the first start makes it' }];
    const pending = await pendingMigrations(visited, nodePrimitives, await readMigrations());
    const waits = `${pending.length} migrations wait: serve or migrate applies them`;
    return [
      {
        verdict: 'ok',
        check,
        says: pending.length === 0 ? 'answers, and is of this version' : `answers; ${waits}`,
      },
      await clocks(visited, now),
      ...(await lostRelayKey(visited, config)),
      ...(await storedAttachments(visited, config)),
      ...(await heldAttachments(visited)),
    ];
  } catch (error) {
    if (error instanceof RelayError && error.code === 'data-folder-locked')
      return [{ verdict: 'ok', check, says: 'a relay uses the folder now: ask its /ready' }];
    return [failure(check, error)];
  } finally {
    await visited?.close();
  }
}

/** What only several relays of one database need. */
async function cluster(config: Config, reached: Config | null): Promise<Finding[]> {
  return [await redis(config), ...(reached === null ? [] : [await nodes(reached)]), sharedBlobs(config)];
}

async function redis(config: Config): Promise<Finding> {
  const check = 'redis';
  if (config.redisUrl === undefined)
    return { verdict: 'ok', check, says: 'none: PostgreSQL carries wake-ups, enough for a few nodes' };
  try {
    const { redisUrl = '' } = await withAddresses(config, ['redisUrl'], process.env);
    const { pingRedis } = await import('../cluster/redis-carrier.ts');
    if (await pingRedis(redisUrl)) return { verdict: 'ok', check, says: 'answers' };
    const says = 'does not answer: nodes run without it, slower; check redisUrl and Redis, 6 or newer';
    return { verdict: 'warn', check, says };
  } catch (error) {
    return failure(check, error);
  }
}

async function nodes(config: Config): Promise<Finding> {
  const check = 'nodes';
  let visited: SqlDatabase | null = null;
  try {
    visited = await visitDatabase(relayOptionsOf(config).database);
    const count = visited === null ? 0 : (await sqlNodes(visited).listNodes()).length;
    const says = `${count} of ${config.nodes} hold a lease now`;
    return { verdict: count > config.nodes ? 'warn' : 'ok', check, says };
  } catch {
    return { verdict: 'ok', check, says: 'none yet: the first start makes their table' };
  } finally {
    await visited?.close();
  }
}

function sharedBlobs({ blobFolder, s3Bucket }: Config): Finding {
  const check = 'blobFolder';
  if (s3Bucket !== undefined) return { verdict: 'ok', check, says: 'a bucket: every node reaches it' };
  if (blobFolder !== undefined) return { verdict: 'ok', check, says: 'set: every node has to mount it' };
  return { verdict: 'warn', check, says: 'not set: attachments of one node are not found at another' };
}

async function clocks(visited: SqlDatabase, now: () => number): Promise<Finding> {
  const check = 'clock';
  const askedMs = now();
  const [row] = await visited.query(
    'select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms',
  );
  const skewMs = Math.abs((row?.['now_ms'] as number) - askedMs) - (now() - askedMs);
  if (skewMs <= SKEW_MS) return { verdict: 'ok', check, says: 'agrees with the database' };
  return {
    verdict: 'warn',
    check,
    says: `${Math.round(skewMs / 1000)} s from the database: run NTP on both machines`,
  };
}

/** With organisations and without the key, the relay does not start: another one would be taken for another relay. */
async function lostRelayKey(visited: SqlDatabase, config: Config): Promise<Finding[]> {
  const { database: at } = relayOptionsOf(config);
  if (at.kind === 'memory' || existsSync(relayKeyPath(at))) return [];
  const [table] = await visited.query(`select to_regclass('organisations') is null as missing`);
  if (table?.['missing'] === true) return [];
  const some = await visited.query('select 1 as one from organisations limit 1');
  return some.length === 0 ? [] : [failure('relay-key', new RelayError('relay-key-missing', 'not there'))];
}

async function keyFiles(config: Config): Promise<Finding[]> {
  const { dataFolder, keyFile } = config;
  const [relayKey, dataKey] =
    keyFile === undefined
      ? [join(dataFolder ?? '', 'relay-key'), join(dataFolder ?? '', 'data-key')]
      : [keyFile, `${keyFile}.data`];
  const named = wrappingKeysOf(config);
  return Promise.all([
    keyFileAt('relay-key', relayKey),
    named === null ? keyFileAt('data-key', dataKey) : wrappingKeys(named),
  ]);
}

async function wrappingKeys(named: NonNullable<ReturnType<typeof wrappingKeysOf>>): Promise<Finding> {
  const check = 'wrappingKeys';
  try {
    const keys = await openWrappingKeys({ ...named, environment: process.env });
    await checkKeyWrapper(keys.wrapper, nodeRandom).finally(keys.close);
    return { verdict: 'ok', check, says: 'the first wraps, and gives back what it wrapped' };
  } catch (error) {
    return failure(check, error);
  }
}

async function bucket(config: Config): Promise<Finding> {
  const check = 's3Bucket';
  try {
    const opened = await openBucket(config, process.env);
    if (opened !== null) await checkS3Bucket(opened, nodeRandom);
    return { verdict: 'ok', check, says: 'takes an object, gives it back and deletes it' };
  } catch (error) {
    const reason = error instanceof RelayError ? error.reason : null;
    const remedy = BUCKET_REMEDIES[reason ?? ''] ?? 'see s3Bucket, s3Region, s3Endpoint, and who may use it';
    const { verdict, says } = failure(check, error);
    return { verdict, check, says: reason === null ? says : `${reason}: ${remedy}` };
  }
}

/** By the reason. */
const BUCKET_REMEDIES: Readonly<Record<string, string>> = {
  versioned: 'the bucket keeps what is deleted: suspend its versioning',
  'no-conditions': 'the service does not hear If-Match and If-None-Match: take another one',
  AccessDenied: 'the access key needs PutObject, GetObject and DeleteObject on its objects, and ListBucket',
  RequestTimeTooSkewed: 'run NTP on this machine',
};

async function push(config: Config): Promise<Finding> {
  const check = 'push';
  try {
    const { webPush, expo, webhook } = await openPush(config, process.env);
    const ways = [webPush && 'Web Push', expo && 'Expo', webhook && 'a webhook'].filter(Boolean).join(', ');
    return { verdict: 'ok', check, says: ways === '' ? 'nobody is told while away' : `by ${ways}` };
  } catch (error) {
    const { says } = failure(check, error);
    // It begins with the key, and holds no value.
    return {
      verdict: 'fail',
      check,
      says: `${error instanceof RelayError ? error.message : 'bug'}: ${says}`,
    };
  }
}

async function keyFileAt(check: string, path: string): Promise<Finding> {
  if (!existsSync(path))
    return { verdict: 'ok', check, says: 'none yet: the first start makes it; then back it up' };
  const { mode, size } = await stat(path);
  if (size !== 32 || (process.platform !== 'win32' && (mode & TOO_OPEN) !== 0))
    return { verdict: 'fail', check, says: REMEDIES[`${check}-unusable`] ?? '' };
  return { verdict: 'ok', check, says: '32 bytes, for its owner alone' };
}

/** In the first folder on the way up that exists. */
async function room({ dataFolder, keyFile, blobFolder }: Config): Promise<Finding> {
  const check = 'disk';
  let folder = blobFolder ?? dataFolder ?? dirname(keyFile ?? '.');
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= SPARE_BYTES) return { verdict: 'ok', check, says: 'more than 1 GiB is free' };
  return { verdict: 'warn', check, says: 'less than 1 GiB is free: appends fail when the disk is full' };
}

async function openFiles({ limits }: Config): Promise<Finding> {
  const check = 'files';
  const sockets = limits.sockets ?? DEFAULT_LIMITS.sockets;
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const most = Number(/^Max open files +\d+ +(\d+)/m.exec(text)?.[1] ?? Infinity);
  if (most >= sockets + OTHER_FILES) return { verdict: 'ok', check, says: `enough for ${sockets} sockets` };
  return {
    verdict: 'warn',
    check,
    says: `${most} open files are too few for ${sockets} sockets: raise LimitNOFILE (ulimit -n)`,
  };
}

function failure(check: string, error: unknown): Finding {
  const code = error instanceof RelayError ? error.code : 'bug';
  return { verdict: 'fail', check, says: `${code}. ${REMEDIES[code] ?? ''}` };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
