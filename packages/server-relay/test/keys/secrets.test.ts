import { chmod } from 'node:fs/promises';
import { Secret } from '@keytide/crypto-core';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import {
  openVault,
  secretReader,
  secretText,
  type ReadSecret,
  type SecretSources,
  type Vault,
} from '@keytide/server-relay';
import { startTestAws, startTestVault, type TestAws, type TestVault } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessTo, failureOf, fileWith, limits } from './services.ts';

const nowMs = Date.UTC(2027, 0, 1);
let aws: TestAws;
let server: TestVault;
let vault: Vault;
let file: Awaited<ReturnType<typeof fileWith>>;
let tokenFile: Awaited<ReturnType<typeof fileWith>>;
beforeAll(async () => {
  aws = await startTestAws({ now: () => nowMs });
  server = await startTestVault();
  tokenFile = await fileWith(server.token);
  vault = await openVault({ address: server.url, tokenFile: tokenFile.path, limits });
  file = await fileWith('');
});
afterAll(async () => {
  vault.close();
  await Promise.all([aws.close(), server.close(), file.remove(), tokenFile.remove()]);
});

const environment: Record<string, string | undefined> = {};
function reader(changes: Partial<SecretSources> = {}): ReadSecret {
  const access = { clock: { now: () => nowMs }, ...accessTo(aws), region: aws.region };
  return secretReader({ environment, aws: access, vault, ...changes });
}
const read = async (reference: string): Promise<string> => secretText(await reader()(reference));
const codeOf = async (reference: string): Promise<string> =>
  (await failureOf(reader()(reference), [reference, 'hidden'])).code;

test('comes from a file, byte by byte, and as text without its line end', async () => {
  const bytes = Uint8Array.of(...random(31), 10);
  const binary = await fileWith(bytes);
  (await reader()(`file:${binary.path}`)).use((found) => expect(found).toEqual(bytes));
  await binary.remove();
  await file.write('hidden\n');
  expect(await read(`file:${file.path}`)).toBe('hidden');
  await file.write('another');
  expect(await read(`file:${file.path}`)).toBe('another');
});

test('in a file that others may write is not taken, nor one that is not there, or too long', async () => {
  await file.write('hidden');
  await chmod(file.path, 0o620);
  expect(await codeOf(`file:${file.path}`)).toBe('secret-unusable');
  await chmod(file.path, 0o444);
  expect(await read(`file:${file.path}`)).toBe('hidden');
  await chmod(file.path, 0o600);
  await file.write('x'.repeat(65_537));
  expect(await codeOf(`file:${file.path}`)).toBe('secret-unusable');
  await file.write('');
  expect(await codeOf(`file:${file.path}`)).toBe('secret-missing');
  expect(await codeOf(`file:${file.path}.none`)).toBe('secret-missing');
});

test('comes from the environment', async () => {
  environment['RELAY_DATABASE'] = 'postgres://hidden';
  expect(await read('env:RELAY_DATABASE')).toBe('postgres://hidden');
  expect(await codeOf('env:RELAY_NOTHING')).toBe('secret-missing');
  expect(await codeOf('env:constructor')).toBe('secret-missing');
  environment['RELAY_DATABASE'] = 'x'.repeat(65_537);
  expect(await codeOf('env:RELAY_DATABASE')).toBe('secret-unusable');
  environment['RELAY_DATABASE'] = '';
  expect(await codeOf('env:RELAY_DATABASE')).toBe('secret-missing');
});

describe('AWS Secrets Manager', () => {
  test('gives text, bytes, and fields of JSON, as they are now', async () => {
    const arn = `arn:aws:secretsmanager:${aws.region}:111122223333:secret:relay/db-Ab12Cd`;
    const bytes = random(48);
    aws.setSecret('relay/db', 'hidden');
    aws.setSecret(arn, JSON.stringify({ url: 'hidden too', port: 5432 }));
    aws.setSecret('key', bytes);
    expect(await read('aws-secret:relay/db')).toBe('hidden');
    expect(await read(`aws-secret:${arn}#url`)).toBe('hidden too');
    (await reader()('aws-secret:key')).use((found) => expect(found).toEqual(bytes));
    aws.setSecret('relay/db', 'changed');
    expect(await read('aws-secret:relay/db')).toBe('changed');
    expect(await codeOf(`aws-secret:${arn}#port`)).toBe('secret-unusable');
    for (const reference of [`aws-secret:${arn}#user`, 'aws-secret:relay/db#url', 'aws-secret:none'])
      expect(await codeOf(reference), reference).toBe('secret-missing');
  });

  test('that fails is asked again; one that says no is not', async () => {
    aws.setSecret('relay/db', 'hidden');
    aws.fail('throttle', 'broken');
    expect(await read('aws-secret:relay/db')).toBe('hidden');
    aws.fail('garbage');
    expect(await codeOf('aws-secret:relay/db')).toBe('key-service-failed');
    aws.refuse('AccessDeniedException');
    expect(await codeOf('aws-secret:relay/db')).toBe('key-service-refused');
    aws.refuse(null);
  });
});

describe("Vault's KV 2", () => {
  test('gives a field, as it is now', async () => {
    server.setSecret('keytide/relay', { 'database-url': 'hidden', port: 5432 });
    expect(await read('vault:secret/keytide/relay#database-url')).toBe('hidden');
    server.setSecret('keytide/relay', { 'database-url': 'changed', port: 5432 });
    expect(await read('vault:secret/keytide/relay#database-url')).toBe('changed');
    expect(await codeOf('vault:secret/keytide/relay#port')).toBe('secret-unusable');
    expect(await codeOf('vault:secret/keytide/relay#user')).toBe('secret-missing');
    expect(await codeOf('vault:secret/keytide/relay#toString')).toBe('secret-missing');
    expect(await codeOf('vault:secret/keytide/none#user')).toBe('secret-missing');
    server.fail('nonsense');
    expect(await codeOf('vault:secret/keytide/relay#database-url')).toBe('key-service-failed');
    server.setToken('another');
    expect(await codeOf('vault:secret/keytide/relay#database-url')).toBe('key-service-refused');
    server.setToken(server.token);
  });
});

test('what is no reference is not repeated, and asks nobody', async () => {
  const before = [aws.calls.length, server.calls.length];
  const arn = `arn:aws:secretsmanager:${aws.region}:111122223333:secret:a`;
  for (const reference of [
    'my-password-in-the-wrong-place',
    'https://user:password@host',
    'file:',
    'env:',
    'env:my-password',
    'aws-secret:',
    'aws-secret:with space',
    'aws-secret:relay/db#',
    `aws-secret:${arn.replace(aws.region, 'evil.example')}`,
    `aws-secret:${arn.replace(':secret:', ':key:')}`,
    'vault:secret/keytide/relay',
    'vault:secret#field',
    'vault:secret/../../sys/raw#field',
    'vault:secret/a//b#field',
    'vault:secret/a?version=1#field',
    'constructor:a',
    '',
  ]) {
    const { code } = await failureOf(reader()(reference), reference.length < 10 ? [] : [reference]);
    expect(code, reference).toBe('bad-reference');
  }
  expect([aws.calls.length, server.calls.length]).toEqual(before);
  const bare = secretReader({ environment });
  for (const reference of ['aws-secret:relay/db', 'vault:secret/keytide/relay#user'])
    await expect(bare(reference)).rejects.toMatchObject({ code: 'bad-reference' });
});

test('is text only if it is', () => {
  expect(() => secretText(Secret.own(Uint8Array.of(0xff)))).toThrow(
    expect.objectContaining({ code: 'secret-unusable' }),
  );
});
