import { toBase64Url } from '@keytide/crypto-core';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import { awsKmsKeyWrapper, checkKeyWrapper, type AwsAccess, type KeyWrapper } from '@keytide/server-relay';
import { keyWrapperConformance, startTestAws, type TestAws } from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { accessTo, failureOf, impatient, PASSING, secret } from './services.ts';

const nowMs = Date.UTC(2027, 1, 28, 23, 59, 59);
let aws: TestAws;
beforeAll(async () => {
  aws = await startTestAws({ now: () => nowMs, sessionToken: 'a-session-of-the-test' });
});
afterAll(() => aws.close());

const clock = { now: () => nowMs };
function wrapperOf(changes: Partial<AwsAccess> & { keyArn?: string } = {}): KeyWrapper {
  return awsKmsKeyWrapper({ keyArn: aws.keyArn, clock, ...accessTo(aws), ...changes });
}
const context = random(40);
const failed = (reason: string) => ({ code: 'key-service-failed', reason });
const refused = (reason: string) => ({ code: 'key-service-refused', reason });

keyWrapperConformance('AWS KMS', async () => wrapperOf(), { describe, it });

test('names its key by its id, and sends the context as encryption context, not the key', async () => {
  const wrapper = wrapperOf();
  expect(wrapper.keyName).toBe('aws-kms:1234abcd-12ab-34cd-56ef-1234567890ab');
  await wrapper.wrap(random(32), context);
  const { headers, body } = aws.calls.at(-1) ?? expect.fail();
  expect(headers['x-amz-target']).toBe('TrentService.Encrypt');
  const request = JSON.parse(body.toString()) as object;
  expect(request).toMatchObject({
    KeyId: aws.keyArn,
    EncryptionContext: { keytide: toBase64Url(context) },
  });
  expect(Object.keys(request).toSorted()).toEqual(['EncryptionContext', 'KeyId', 'Plaintext']);
});

test('each part of the signature counts', async () => {
  const { credentials } = accessTo(aws);
  const good = await credentials();
  const wrong: Record<string, Partial<AwsAccess>> = {
    'another secret': { credentials: async () => ({ ...good, secretAccessKey: secret('another') }) },
    'another id': { credentials: async () => ({ ...good, accessKeyId: 'AKIDANOTHER' }) },
    'no session': { credentials: async () => ({ ...good, sessionToken: null }) },
    'a clock 16 minutes behind': { clock: { now: () => nowMs - 960_000 } },
  };
  for (const [name, changes] of Object.entries(wrong)) {
    const failure = await failureOf(wrapperOf(changes).wrap(random(32), context), [
      aws.caller().secretAccessKey,
    ]);
    expect(failure.code, name).toBe('key-service-refused');
  }
  await wrapperOf({ clock: { now: () => nowMs - 800_000 } }).wrap(random(32), context);
});

test('what one key wrapped, another does not open', async () => {
  const wrapped = await wrapperOf().wrap(random(32), context);
  const other = wrapperOf({ keyArn: aws.otherKeyArn });
  const { code } = await failureOf(other.unwrap(other.keyName, wrapped, context), []);
  expect(code).toBe('decryption-failed');
});

describe('a service that fails', () => {
  const dataKey = random(32);
  const secrets = (): string[] => [
    aws.caller().secretAccessKey,
    'a-session-of-the-test',
    Buffer.from(dataKey).toString('base64'),
  ];

  test.each([...PASSING, ['throttle', 'ThrottlingException'] as const])(
    '%s: is asked again, three times at most',
    async (fault, reason) => {
      const wrapper = wrapperOf();
      aws.fail(fault, fault);
      const wrapped = await wrapper.wrap(dataKey, context);
      aws.fail(fault, fault);
      expect(await wrapper.unwrap(wrapper.keyName, wrapped, context)).toEqual(dataKey);
      aws.fail(fault, fault, fault);
      const before = aws.calls.length;
      expect(await failureOf(wrapper.wrap(dataKey, context), secrets())).toEqual(failed(reason));
      expect(aws.calls.length - before).toBe(3);
    },
  );

  test.each(['garbage', 'nonsense'] as const)('%s: is believed nothing', async (fault) => {
    const wrapper = wrapperOf();
    const wrapped = await wrapper.wrap(dataKey, context);
    aws.fail(fault);
    expect(await failureOf(wrapper.wrap(dataKey, context), secrets())).toEqual(failed('garbage'));
    aws.fail(fault);
    const unwrapping = wrapper.unwrap(wrapper.keyName, wrapped, context);
    expect(await failureOf(unwrapping, secrets())).toEqual(failed('garbage'));
  });

  test('uses another key than it was told to: is believed nothing', async () => {
    const wrapper = wrapperOf();
    const wrapped = await wrapper.wrap(dataKey, context);
    aws.nameKey(aws.otherKeyArn);
    expect(await failureOf(wrapper.wrap(dataKey, context), secrets())).toEqual(failed('garbage'));
    const unwrapping = wrapper.unwrap(wrapper.keyName, wrapped, context);
    expect(await failureOf(unwrapping, secrets())).toEqual(failed('garbage'));
    aws.nameKey(null);
  });

  test('never answers: is given up', async () => {
    aws.fail('hang', 'hang');
    const wrapping = wrapperOf({ limits: impatient }).wrap(dataKey, context);
    expect(await failureOf(wrapping, secrets())).toEqual(failed('timeout'));
  });

  test('sends the caller elsewhere: nobody goes there', async () => {
    const before = aws.calls.length;
    aws.fail('redirect');
    expect(await failureOf(wrapperOf().wrap(dataKey, context), secrets())).toEqual(refused('http-307'));
    expect(aws.calls.length - before).toBe(1);
  });

  test('is not there', async () => {
    const gone = await startTestAws({ now: () => nowMs });
    await gone.close();
    const wrapping = wrapperOf({ endpoint: gone.url }).wrap(dataKey, context);
    expect(await failureOf(wrapping, secrets())).toEqual(failed('unreachable'));
  });

  test('says no: is asked once, and its name told if it is one that AWS has', async () => {
    for (const [name, reason] of [
      ['AccessDeniedException', 'AccessDeniedException'],
      ['com.amazonaws.kms#DisabledException', 'DisabledException'],
      [`Sorry-${Buffer.from(dataKey).toString('base64')}`, 'http-400'],
    ] as const) {
      const before = aws.calls.length;
      aws.refuse(name);
      expect(await failureOf(wrapperOf().wrap(dataKey, context), secrets())).toEqual(refused(reason));
      aws.refuse(null);
      expect(aws.calls.length - before).toBe(1);
    }
  });
});

test('refuses what is no ARN of a key, and addresses that are not private', () => {
  const bad = { code: 'bad-reference' };
  const { keyArn } = aws;
  const id = keyArn.split('/')[1] as string;
  for (const arn of [
    id,
    keyArn.replace('key/', 'alias/'),
    `${keyArn}/`,
    keyArn.replace(id, 'a'),
    keyArn.replace('eu-central-1', 'evil.example'),
    keyArn.replace('eu-central-1', 'a'),
  ])
    expect(() => wrapperOf({ keyArn: arn }), arn).toThrow(expect.objectContaining(bad));
  for (const endpoint of ['http://kms.example', 'ftp://127.0.0.1', 'kms', 'https://a:b@kms.example'])
    expect(() => wrapperOf({ endpoint }), endpoint).toThrow(expect.objectContaining(bad));
});

test('passes the check at the start', async () => {
  await checkKeyWrapper(wrapperOf(), random);
  aws.refuse('AccessDeniedException');
  expect(await failureOf(checkKeyWrapper(wrapperOf(), random), [])).toEqual(refused('AccessDeniedException'));
  aws.refuse(null);
});
