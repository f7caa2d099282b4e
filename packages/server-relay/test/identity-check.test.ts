import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { enrolmentNonce } from '@keytide/relay-protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdentityCheck } from '../src/identity-check.ts';

const clock = { now: () => Date.UTC(2030, 0, 1) };
const seconds = clock.now() / 1000;
const id = 'ab'.repeat(32);
const nonce = enrolmentNonce(primitives, id);
let issuer: string;
let server: Server;
let named: string | null = null;
let keysStatus = 200;
let tokenOf: (claims: JWTPayload) => Promise<string>;

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const keys = [{ ...(await exportJWK(publicKey)), alg: 'ES256', kid: '1' }];
  server = createServer((request, response) => {
    const isKeys = request.url === '/keys';
    response.writeHead(isKeys ? keysStatus : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isKeys ? { keys } : { issuer: named ?? issuer, jwks_uri: `${issuer}/keys` }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  tokenOf = (claims) =>
    new SignJWT({ iss: issuer, aud: 'app', sub: 'ada', iat: seconds, exp: seconds + 3600, nonce, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: '1' })
      .sign(privateKey);
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const heard = async (claims: JWTPayload): Promise<string> => {
  const check = createIdentityCheck({ issuer, clientId: 'app' }, clock);
  return check.assertVouched(await tokenOf(claims), id).then(
    () => 'vouched for',
    (error: unknown) => (error as { code: string }).code,
  );
};

test('a token for several clients says that it was made for this one', async () => {
  expect(await heard({})).toBe('vouched for');
  expect(await heard({ azp: 'app', aud: ['other', 'app'] })).toBe('vouched for');
  for (const claims of [{ azp: 'other' }, { aud: ['other', 'app'] }, { azp: 'other', aud: ['other', 'app'] }])
    expect(await heard(claims)).toBe('identity-required');
});

test('another issuer, no subject, no time and the future are refused', async () => {
  for (const claims of [
    { iss: 'https://other.example' },
    { sub: undefined },
    { iat: undefined },
    { iat: seconds + 300 },
    { exp: seconds - 120 },
  ])
    expect(await heard(claims as JWTPayload)).toBe('identity-required');
});

test('a provider that is somebody else, or has no keys just now, is away; and is asked again', async () => {
  named = 'https://other.example';
  expect(await heard({})).toBe('unavailable');
  named = null;
  keysStatus = 500;
  const check = createIdentityCheck({ issuer, clientId: 'app' }, clock);
  const token = await tokenOf({});
  await expect(check.assertVouched(token, id)).rejects.toMatchObject({ code: 'unavailable' });
  keysStatus = 200;
  await check.assertVouched(token, id);
  expect(() => createIdentityCheck({ issuer: 'http://other.example', clientId: 'app' }, clock)).toThrow(
    TypeError,
  );
});
