import { nodeRandom as random } from '@keytide/crypto-core/node';
import { awsCredentials, awsKmsKeyWrapper, type KeyWrapper } from '@keytide/server-relay';
import { startTestAws, type TestAws } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failureOf, fileWith, limits } from './services.ts';

let nowMs = Date.UTC(2027, 0, 1);
const clock = { now: () => nowMs };
let aws: TestAws;
beforeAll(async () => {
  aws = await startTestAws({ now: clock.now, sessionToken: 'session' });
});
afterAll(() => aws.close());

function wrapperWith(environment: Record<string, string>): KeyWrapper {
  const credentials = awsCredentials({ environment, clock, limits });
  return awsKmsKeyWrapper({ keyArn: aws.keyArn, endpoint: aws.url, clock, limits, credentials });
}
const roleCalls = (): number => aws.calls.filter(({ path }) => path === '/role').length;
const wrap = (wrapper: KeyWrapper): Promise<unknown> => wrapper.wrap(random(32), random(4));

test('come from the environment', async () => {
  const { accessKeyId, secretAccessKey } = aws.caller();
  const environment = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  await wrap(wrapperWith({ ...environment, AWS_SESSION_TOKEN: 'session' }));
  const without = wrap(wrapperWith(environment));
  expect(await failureOf(without, [secretAccessKey])).toMatchObject({
    reason: 'UnrecognizedClientException',
  });
});

test("of a container's role are asked for once, and anew before they end", async () => {
  const token = await fileWith(`${aws.roleToken}\n`);
  const wrapper = wrapperWith({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${aws.url}/role`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: token.path,
  });
  aws.changeCaller(nowMs + 3_600_000);
  const before = roleCalls();
  await Promise.all([wrap(wrapper), wrap(wrapper)]);
  nowMs += 3_299_000;
  await wrap(wrapper);
  expect(roleCalls() - before).toBe(1);
  nowMs += 2_000;
  aws.changeCaller(nowMs + 3_600_000);
  await wrap(wrapper);
  expect(roleCalls() - before).toBe(2);
  nowMs += 3_600_000;
  await token.write('another');
  const { secretAccessKey } = aws.caller();
  expect(await failureOf(wrap(wrapper), [aws.roleToken, secretAccessKey])).toEqual({
    code: 'key-service-refused',
    reason: 'http-403',
  });
  await token.write('two\nlines');
  expect((await failureOf(wrap(wrapper), ['two\nlines'])).code).toBe('secret-unusable');
  await token.remove();
  expect((await failureOf(wrap(wrapper), [])).code).toBe('secret-missing');
});

test('that are none, or are to come from anywhere, are refused', () => {
  const codeOf = (environment: Record<string, string>): string => {
    try {
      awsCredentials({ environment });
    } catch (error) {
      return (error as { code: string }).code;
    }
    return 'taken';
  };
  const full = (url: string): string => codeOf({ AWS_CONTAINER_CREDENTIALS_FULL_URI: url });
  expect(codeOf({})).toBe('secret-missing');
  expect(codeOf({ AWS_ACCESS_KEY_ID: 'AKIDTESTKIT', AWS_SECRET_ACCESS_KEY: 'a\nb' })).toBe('secret-unusable');
  expect(full('http://evil.example/role')).toBe('bad-reference');
  expect(full('http://169.254.169.254/role')).toBe('bad-reference');
  expect(full('http://169.254.170.23/v1/credentials')).toBe('taken');
  expect(full('https://credentials.example/role')).toBe('taken');
  expect(codeOf({ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/a' })).toBe('taken');
});
