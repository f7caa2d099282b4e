import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceId, idBytes, orgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { openDataKeyFile, openStore, type KeyWrapper, type RelayStore } from '@keytide/server-relay';
import { folderDatabase, startTestAws, startTestVault, type TestAws, type TestVault } from '@keytide/testkit';
import type { ClaimedPush } from '../src/push/store.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAtRest, dataKeyContext } from '../src/at-rest.ts';
import { openWrappingKeys } from '../src/keys/open-wrapping-keys.ts';
import { parseConfig } from '../src/operate/config.ts';
import { examine } from '../src/operate/doctor.ts';
import { createPushRegistrations } from '../src/push/registrations.ts';
import { rotateKeys } from '../src/operate/rotate-keys.ts';

let aws: TestAws;
let vault: TestVault;
let folder: string;
const org = orgId(random(32));
const dataKey = random(32);
const registration = { kind: 'expo', target: 'ExponentPushToken[a]' } as const;
const registrationsOf = (store: RelayStore, wrapper: KeyWrapper) =>
  createPushRegistrations(store, createAtRest({ store, wrapper, primitives, random }));
beforeAll(async () => {
  aws = await startTestAws({ now: () => Date.now() });
  vault = await startTestVault();
  vault.addKey('keytide');
  folder = await mkdtemp(join(tmpdir(), 'keytide-rotate-'));
  await writeFile(join(folder, 'token'), vault.token, { mode: 0o600 });
  const { store } = await openStore(folderDatabase(join(folder, 'relay')), primitives, 0);
  const former = await openDataKeyFile(join(folder, 'former'), random, true);
  const wrapped = await former.wrap(dataKey, dataKeyContext(org, 1));
  await store.addDataKey(org, { number: 1, wrappingKey: former.keyName, wrapped });
  const device = deviceId(random(32));
  await registrationsOf(store, former).put(org, device, registration);
  await store.markPushDue(org, null, { nowMs: 0, intervalMs: 0, repeatMs: 0 });
  await store.close();
});
afterAll(async () => {
  await Promise.all([aws.close(), vault.close()]);
  await rm(folder, { recursive: true, force: true });
});

const config = (...wrappingKeys: string[]) =>
  parseConfig(
    {
      dataFolder: join(folder, 'relay'),
      wrappingKeys,
      awsKmsEndpoint: aws.url,
      vaultAddress: vault.url,
      vaultTokenFile: join(folder, 'token'),
    },
    {},
  );
const environment = () => ({
  AWS_ACCESS_KEY_ID: aws.caller().accessKeyId,
  AWS_SECRET_ACCESS_KEY: aws.caller().secretAccessKey,
});

test('the keys go from a file to KMS, and on to Vault', async () => {
  const [file, kms] = [`file:${join(folder, 'former')}`, `aws-kms:${aws.keyArn}`];
  const lines: object[] = [];
  const print = (line: object): void => void lines.push(line);
  expect(await rotateKeys(config(kms, file), environment(), print)).toBe(0);
  expect(await rotateKeys(config('vault:transit/keytide', kms), environment(), print)).toBe(0);
  const ends = lines.filter((line) => 'key' in line);
  const end = { event: 'rotated', moved: 1, left: 0, damaged: [] };
  expect(ends).toEqual([
    { ...end, key: `aws-kms:${aws.keyArn.split('/')[1]}` },
    { ...end, key: 'vault:transit/keytide' },
  ]);
  expect(lines[0]).toEqual({ event: 'rotating', moved: 0, left: 1 });
  expect(JSON.stringify(lines)).not.toContain(Buffer.from(idBytes(org)).toString('hex'));
  // What lies under the keys is as it was: how devices are told opens without the former wrapping keys.
  const { store } = await openStore(folderDatabase(join(folder, 'relay')), primitives, 0);
  const now = await openWrappingKeys({
    references: ['vault:transit/keytide'],
    environment: {},
    vault: { address: vault.url, tokenFile: join(folder, 'token') },
  });
  const [stored] = await store.claimPushes(0, 1, 1);
  expect(await registrationsOf(store, now.wrapper).open(stored as ClaimedPush)).toEqual(registration);
  now.close();
  await store.close();
  await expect(rotateKeys(config(file), environment(), print)).rejects.toMatchObject({
    code: 'data-key-missing',
  });
  await expect(rotateKeys(config(), environment(), print)).rejects.toMatchObject({
    code: 'config-invalid',
    reason: 'wrappingKeys',
  });
}, 60_000);

test('a reference that is none, or leads nowhere, is refused', async () => {
  const open = (reference: string) => openWrappingKeys({ references: [reference], environment: {} });
  for (const reference of ['vault:transit/keytide', 'file:', 'aws-kms:', 'secret', 'aws-kms:alias/a'])
    await expect(open(reference), reference).rejects.toMatchObject({
      code: reference === 'aws-kms:alias/a' || reference === 'aws-kms:' ? 'secret-missing' : 'bad-reference',
    });
  await expect(open(`file:${join(folder, 'none')}`)).rejects.toMatchObject({ code: 'data-key-missing' });
  const named = { references: ['vault:transit/keytide:v7'], environment: {} } as const;
  const place = { address: vault.url, tokenFile: join(folder, 'token') };
  const opened = await openWrappingKeys({ ...named, vault: place });
  expect(opened.wrapper.keyName).toBe('vault:transit/keytide:v7');
  opened.close();
});

test('doctor tries the first key', async () => {
  const verdictOf = async (key: string): Promise<object | null> => {
    for await (const finding of examine(config(key), Date.now()))
      if (finding.check === 'wrappingKeys') return finding;
    return null;
  };
  expect(await verdictOf('vault:transit/keytide')).toMatchObject({ verdict: 'ok' });
  const refused = await verdictOf('vault:transit/absent');
  expect(refused).toMatchObject({
    verdict: 'fail',
    says: expect.stringContaining('key-service-refused') as string,
  });
}, 60_000);
