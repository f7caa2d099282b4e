import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBase64Url } from '@keytide/crypto-core';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import { startTestVault, type TestVault } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseConfig } from '../src/operate/config.ts';
import { examine } from '../src/operate/doctor.ts';
import { openPush } from '../src/operate/open-push.ts';

const subject = 'mailto:operator@example.org';
const [vapid, secret] = [random(32), random(40)];
vapid[0] = 1; // below the order of the group
let vault: TestVault;
let folder: string;
beforeAll(async () => {
  vault = await startTestVault();
  folder = await mkdtemp(join(tmpdir(), 'keytide-push-'));
  await writeFile(join(folder, 'token'), vault.token, { mode: 0o600 });
  await writeFile(join(folder, 'vapid'), `${toBase64Url(vapid)}\n`, { mode: 0o600 });
  vault.setSecret('relay', { hook: toBase64Url(secret) });
});
afterAll(async () => {
  await vault.close();
  await rm(folder, { recursive: true, force: true });
});

const config = (keys: Record<string, unknown>) =>
  parseConfig(
    {
      dataFolder: join(folder, 'relay'),
      vaultAddress: vault.url,
      vaultTokenFile: join(folder, 'token'),
      ...keys,
    },
    {},
  );

test('secrets are read from where the configuration says: a file, a variable, Vault', async () => {
  const named = config({
    webPushKey: `file:${join(folder, 'vapid')}`,
    webPushSubject: subject,
    expoPush: true,
    expoAccessToken: 'env:EXPO',
    webhookUrl: 'http://127.0.0.1:9000/hook',
    webhookSecret: 'vault:secret/relay#hook',
    pushAllow: ['http://127.0.0.1:9000'],
  });
  expect(await openPush(named, { EXPO: 'expo-token' })).toEqual({
    webPush: { key: vapid, subject },
    expo: { accessToken: 'expo-token' },
    webhook: { url: 'http://127.0.0.1:9000/hook', secret },
    allow: ['http://127.0.0.1:9000'],
  });
  expect(await openPush(config({ expoPush: true }), {})).toEqual({ expo: {}, allow: [] });
  expect(await openPush(config({}), {})).toEqual({ allow: [] });
});

test('a secret that is not there, or not what it has to be, is named by its key and not shown', async () => {
  const web = (webPushKey: string) => config({ webPushKey, webPushSubject: subject });
  const hook = (webhookSecret: string) => config({ webhookUrl: 'https://hook.example/', webhookSecret });
  const text = (bytes: Uint8Array) => ({ HUNTER: toBase64Url(bytes) });
  const cases: [ReturnType<typeof config>, Record<string, string>, string, string][] = [
    [web('env:HUNTER'), {}, 'secret-missing', 'webPushKey'],
    [web('env:HUNTER'), text(vapid.subarray(1)), 'secret-unusable', 'webPushKey'],
    [web('env:HUNTER'), text(new Uint8Array(32)), 'secret-unusable', 'webPushKey'],
    [web('env:HUNTER'), { HUNTER: `${toBase64Url(vapid)} ` }, 'secret-unusable', 'webPushKey'],
    [web('aws-secret:hunter'), { AWS_REGION: 'eu-central-1' }, 'secret-missing', 'webPushKey'],
    [hook('env:HUNTER'), text(random(31)), 'secret-unusable', 'webhookSecret'],
    [hook('vault:secret/none#hunter'), {}, 'secret-missing', 'webhookSecret'],
  ];
  for (const [one, environment, code, key] of cases) {
    const refusal = await openPush(one, environment).catch((error: unknown) => error as Error);
    expect(refusal).toMatchObject({ code });
    const { message } = refusal as Error;
    expect(message.startsWith(`${key}: `), message).toBe(true);
    for (const value of Object.values(environment)) expect(message).not.toContain(value.trim());
    expect(message.toLowerCase()).not.toContain('hunter');
  }
});

test('doctor reads the secrets too', async () => {
  const findingOf = async (keys: Record<string, unknown>) => {
    for await (const finding of examine(config(keys), Date.now()))
      if (finding.check === 'push') return finding;
    return null;
  };
  const web = { webPushKey: `file:${join(folder, 'vapid')}`, webPushSubject: subject };
  expect(await findingOf(web)).toMatchObject({ verdict: 'ok', says: 'by Web Push' });
  expect(await findingOf({ ...web, webPushKey: `file:${join(folder, 'none')}` })).toMatchObject({
    verdict: 'fail',
    says: expect.stringMatching(/^webPushKey: .*secret-missing/) as string,
  });
});
