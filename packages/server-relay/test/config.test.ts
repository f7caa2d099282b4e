import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { RelayError } from '@keytide/server-relay';
import { parseConfig, readConfig, variableOf } from '../src/operate/config.ts';
import { relayOptionsOf } from '../src/operate/config-options.ts';
import { CONFIG_KEYS } from '../src/operate/config-schema.ts';
import { withAddresses } from '../src/operate/addresses.ts';
import { REMEDIES } from '../src/operate/remedies.ts';

const GUIDE = fileURLToPath(new URL('../../../docs/guides/operating-a-relay.md', import.meta.url));

function refusalOf(file: unknown, env: Record<string, string> = {}): RelayError {
  try {
    parseConfig(file, env);
  } catch (error) {
    if (error instanceof RelayError) return error;
    throw error;
  }
  throw new Error('the configuration was taken');
}

test('a variable wins over the file, and numbers and lists come as text there', () => {
  const file = { dataFolder: '/from/file', port: 1, origins: ['https://one.example'] };
  const config = parseConfig(file, {
    KEYTIDE_RELAY_PORT: '8443',
    KEYTIDE_RELAY_ORIGINS: 'https://two.example,https://three.example',
    KEYTIDE_RELAY_LIMITS: '{"sockets":50}',
    OTHER: 'nobody asks',
  });
  expect(config).toMatchObject({ dataFolder: '/from/file', port: 8443, managementHost: '127.0.0.1' });
  expect(relayOptionsOf(config)).toMatchObject({
    database: { kind: 'pglite', folder: '/from/file' },
    origins: ['https://two.example', 'https://three.example'],
    limits: { sockets: 50 },
  });
});

test('PostgreSQL takes its key file and folder of attachments along', () => {
  const config = parseConfig({ databaseUrl: 'postgres://h/d', keyFile: '/k', blobFolder: '/b' }, {});
  const database = { kind: 'postgres', url: 'postgres://h/d', keyFile: '/k', blobFolder: '/b' };
  expect(relayOptionsOf(config).database).toEqual(database);
});

test('several relays take Redis or PostgreSQL for their wake-ups, and keep its address elsewhere', async () => {
  const shared = { databaseUrl: 'postgres://h/d', keyFile: '/k', publicUrl: 'https://relay.example' };
  const database = { kind: 'postgres', url: 'postgres://h/d', keyFile: '/k' };
  expect(relayOptionsOf(parseConfig(shared, {})).database).toEqual(database);
  const many = parseConfig({ ...shared, nodes: 3 }, {});
  expect(relayOptionsOf(many).database).toEqual({ ...database, cluster: {} });
  const kept = parseConfig({ ...shared, nodes: 3, redisUrl: 'env:REDIS' }, {});
  const resolved = await withAddresses(kept, ['redisUrl'], { REDIS: 'redis://:hunter2@h:6379' });
  expect(relayOptionsOf(resolved).database).toEqual({
    ...database,
    cluster: { redisUrl: 'redis://:hunter2@h:6379' },
  });
  await expect(withAddresses(kept, ['redisUrl'], {})).rejects.toMatchObject({ code: 'secret-missing' });
  const named = parseConfig({ ...shared, databaseUrl: 'env:URL' }, {});
  const url = 'postgres://u:hunter2@h/d';
  const known = await withAddresses(named, ['databaseUrl'], { URL: url });
  expect(relayOptionsOf(known).database).toEqual({ ...database, url });
  const wrong = await withAddresses(named, ['databaseUrl'], { URL: 'mysql://u:hunter2@h/d' }).catch(
    (error: unknown) => error as RelayError,
  );
  expect(wrong).toMatchObject({ code: 'secret-unusable' });
  expect((wrong as RelayError).message).toMatch(/^databaseUrl: (?!.*hunter2)/);
});

describe('what is wrong is named by key and variable, without its value', () => {
  const folder = { dataFolder: '/d' };
  const postgres = { databaseUrl: 'postgres://h/d', keyFile: '/k' };
  test.each([
    ['a port above the highest', { ...folder, port: 70_000 }, 'port'],
    ['a port that is text', { ...folder, port: 'tcp://10.0.0.1:8080' }, 'port'],
    ['part of a second', { ...folder, drainSeconds: 0.5 }, 'drainSeconds'],
    ['a key that there is not', { ...folder, prot: 8080 }, 'prot'],
    ['no database', {}, 'databaseUrl'],
    ['two databases', { ...folder, ...postgres }, 'databaseUrl'],
    ['a database of another kind', { databaseUrl: 'mysql://u:hunter2@h/d', keyFile: '/k' }, 'databaseUrl'],
    ['PostgreSQL without a key file', { databaseUrl: 'postgres://u:hunter2@h/d' }, 'keyFile'],
    ['a key file beside a folder', { ...folder, keyFile: '/k' }, 'keyFile'],
    ['half of a pair', { ...folder, tlsKeyFile: '/hunter2' }, 'tlsCertificateFile'],
    ['the other half', { ...folder, tlsCertificateFile: '/hunter2' }, 'tlsKeyFile'],
    ['an origin that is a pattern', { ...folder, origins: ['https://*.hunter2'] }, 'origins.0'],
    ['a URL that is none', { ...folder, publicUrl: 'hunter2' }, 'publicUrl'],
    ['a limit that there is not', { ...folder, limits: { hunter: 2 } }, 'limits.hunter'],
    ['a limit of nothing', { ...folder, limits: { sockets: 0 } }, 'limits.sockets'],
    ['no time to finish', { ...folder, drainSeconds: 30, shutdownSeconds: 30 }, 'drainSeconds'],
    ['several relays on a folder', { ...folder, nodes: 2, publicUrl: 'https://r.example' }, 'nodes'],
    ['several relays without a name', { ...postgres, nodes: 2 }, 'publicUrl'],
    ['Redis for one relay', { ...postgres, redisUrl: 'redis://:hunter2@h' }, 'redisUrl'],
    ['Redis elsewhere', { ...postgres, redisUrl: 'http://:hunter2@h' }, 'redisUrl'],
    ['a wrapping key of no kind', { ...folder, wrappingKeys: ['hunter2'] }, 'wrappingKeys.0'],
    ['a key of Vault without Vault', { ...folder, wrappingKeys: ['vault:hunter2/a'] }, 'vaultAddress'],
    ['Vault without a token', { ...folder, vaultAddress: 'https://hunter2.example' }, 'vaultTokenFile'],
    [
      'a secret in the place of its reference',
      { ...folder, expoPush: true, expoAccessToken: 'hunter2' },
      'expoAccessToken',
    ],
    ['Web Push without a subject', { ...folder, webPushKey: 'env:hunter2' }, 'webPushSubject'],
    ['a subject without Web Push', { ...folder, webPushSubject: 'mailto:a@hunter2' }, 'webPushKey'],
    ['a token without Expo', { ...folder, expoAccessToken: 'env:hunter2' }, 'expoPush'],
    ['a webhook without a secret', { ...folder, webhookUrl: 'https://hunter2.example/' }, 'webhookSecret'],
    ['a secret without a webhook', { ...folder, webhookSecret: 'env:hunter2' }, 'webhookUrl'],
    [
      'a webhook inside that is not allowed',
      {
        ...folder,
        webhookUrl: 'http://hunter2:9000/',
        webhookSecret: 'env:A',
        pushAllow: ['http://other:9000'],
      },
      'webhookUrl',
    ],
    ['an origin that is none', { ...folder, pushAllow: ['http://hunter2:port'] }, 'pushAllow.0'],
    [
      'a secret of Vault without Vault',
      { ...folder, webPushSubject: 'mailto:a@b', webPushKey: 'vault:hunter2/a#b' },
      'vaultAddress',
    ],
    [
      'an issuer in the clear',
      { ...folder, oidcIssuer: 'http://hunter2.example', oidcClientId: 'a' },
      'oidcIssuer',
    ],
    ['an issuer without a client', { ...folder, oidcIssuer: 'https://hunter2.example' }, 'oidcClientId'],
    ['a bucket and a folder', { ...postgres, blobFolder: '/hunter2', s3Bucket: 'b-1' }, 's3Bucket'],
    ['a bucket that is none', { ...folder, s3Bucket: 'Hunter2/x' }, 's3Bucket'],
    ['a service without a bucket', { ...folder, s3Endpoint: 'https://hunter2.example' }, 's3Bucket'],
    [
      'a bucket in the clear',
      { ...folder, s3Bucket: 'b-1', s3Endpoint: 'http://hunter2.example' },
      's3Endpoint',
    ],
    ['half of an access key', { ...folder, s3Bucket: 'b-1', s3SecretKey: 'env:hunter2' }, 's3AccessKeyId'],
    ['the other half', { ...folder, s3Bucket: 'b-1', s3AccessKeyId: 'hunter2' }, 's3SecretKey'],
    [
      'an access key in the place of its reference',
      { ...folder, s3Bucket: 'b-1', s3AccessKeyId: 'a', s3SecretKey: 'hunter2' },
      's3SecretKey',
    ],
    ['a list', [], 'config'],
  ])('%s', (_what, file, key) => {
    const refusal = refusalOf(file);
    expect(refusal.code).toBe('config-invalid');
    expect(refusal.reason).toBe(key);
    expect(refusal.message).toContain(key);
    const [name] = key.split('.') as [string];
    if (CONFIG_KEYS.has(name) && name !== 'limits') expect(refusal.message).toContain(variableOf(name));
    expect(refusal.message).not.toContain('hunter2');
  });

  test('several at once, and a variable that there is not', () => {
    const refusal = refusalOf({ dataFolder: '/d', port: -1 }, { KEYTIDE_RELAY_HOSTT: 'hunter2' });
    expect(refusal.reason).toBe('KEYTIDE_RELAY_HOSTT,port');
    expect(refusal.message).not.toContain('hunter2');
  });

  test('a file that is not there, or is not JSON', async () => {
    const missing = readConfig('/nowhere/config.json', {});
    await expect(missing).rejects.toMatchObject({ code: 'config-invalid', reason: 'config' });
    const none = readConfig(undefined, { KEYTIDE_RELAY_CONFIG: fileURLToPath(import.meta.url) });
    await expect(none).rejects.toMatchObject({ code: 'config-invalid', reason: 'config' });
  });
});

test('the guide has every key with its variable and what it is, and every code with what to do', async () => {
  const guide = await readFile(GUIDE, 'utf8');
  for (const [key, what] of CONFIG_KEYS)
    expect(guide).toContain(`| \`${key}\` | \`${variableOf(key)}\` | ${what} |`);
  for (const [code, remedy] of Object.entries(REMEDIES))
    expect(guide).toContain(`| \`${code}\` | ${remedy} |`);
});

test('the example of the guide is a configuration', async () => {
  const [, example] = /```json\n(.*?)```/s.exec(await readFile(GUIDE, 'utf8')) ?? [];
  expect(parseConfig(JSON.parse(example ?? ''), {}).databaseUrl).toBeUndefined();
  expect(parseConfig(JSON.parse(example ?? ''), {}).dataFolder).toBe('/var/lib/keytide');
});
