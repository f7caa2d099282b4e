import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type IdentityWanted,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { toBase64Url, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { enrolmentNonce } from '@keytide/relay-protocol';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { call } from '../../packages/server-relay/test/relay-under-test.ts';
import { startOpenIdProvider, type OpenIdProvider } from './openid-provider.ts';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
const options = () => ({ definition, ports: nodePorts, store: memoryDeviceStore() });
const open: Client<typeof definition>[] = [];
const wanted: IdentityWanted[] = [];
let provider: OpenIdProvider;
let relay: Relay;
let aheadMs = 0;

beforeAll(async () => {
  provider = await startOpenIdProvider(['app', 'other']);
  relay = await startRelay({
    database: memoryDatabase(),
    port: 0,
    log: () => undefined,
    clock: { now: () => Date.now() + aheadMs },
    identity: { issuer: provider.issuer, clientId: 'app' },
  });
});
afterAll(async () => {
  for (const client of open) await client.close();
  await relay.close();
  await provider.close();
});

async function identify(one: IdentityWanted): Promise<string> {
  wanted.push(one);
  return provider.logIn(one.clientId, one.nonce);
}

test('who founds or joins is vouched for, once; afterwards keys are all that counts', async () => {
  const found = { ...options(), relayUrl: relay.url, handle: 'ada' };
  await expect(createOrganisation(found)).rejects.toMatchObject({ code: 'identity-needed' });
  // The same store: it goes on where it stopped.
  const ada = await createOrganisation({ ...found, identify });
  open.push(ada);
  const link = await ada.invite();
  const bo = { ...options(), link, handle: 'bo' };
  await expect(join(bo)).rejects.toMatchObject({ code: 'identity-needed' });
  await expect(connect(bo)).rejects.toMatchObject({ code: 'identity-needed' });
  const refused = join({ ...bo, identify: async () => provider.logIn('other', 'of something else') });
  await expect(refused).rejects.toMatchObject({ code: 'relay-refused', relayCode: 'identity-required' });
  const joined = await join({ ...bo, identify });
  open.push(joined);
  expect(joined.state.kind).toBe('online');
  expect(wanted).toEqual([
    { issuer: provider.issuer, clientId: 'app', nonce: enrolmentNonce(primitives, ada.org) },
    { issuer: provider.issuer, clientId: 'app', nonce: expect.stringMatching(/^[\w-]{43}$/) as string },
  ]);
}, 60_000);

/** What a login by an invite that there is not hears: of its key if the token was good, and else of the token. */
async function heard(id: string, idToken?: string): Promise<string> {
  const org = toHex(random(32));
  const { status, body } = await call(relay, 'POST', `/organisations/${org}/sessions`, {
    body: {
      subject: { kind: 'invite', id },
      challenge: toBase64Url(random(32)),
      signature: toBase64Url(random(64)),
      ...(idToken === undefined ? {} : { idToken }),
    },
  });
  const { code, reason } = body as { code: string; reason?: string };
  return [status, code, reason].filter((part) => part !== undefined).join(' ');
}

test('only a fresh token of the provider, for this client and this enrolment, is good; and it replaces no key', async () => {
  const id = toHex(random(32));
  const nonce = enrolmentNonce(primitives, id);
  const token = await provider.logIn('app', nonce);
  const [head = '', claims = '', signature = ''] = token.split('.');
  const text = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const decoded = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
  const keyId = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string };
  expect(await heard(id, token)).toBe('401 login-refused');
  expect(await heard(id)).toBe('401 identity-required missing');
  const refused = '401 identity-required refused';
  expect(await heard(toHex(random(32)), token)).toBe(refused);
  expect(await heard(id, await provider.logIn('other', nonce))).toBe(refused);
  expect(await heard(id, `${head}.${text({ ...decoded, sub: 'eve' })}.${signature}`)).toBe(refused);
  expect(await heard(id, `${text({ ...keyId, alg: 'none' })}.${claims}.x`)).toBe(refused);
  expect(await heard(id, `${text({ ...keyId, alg: 'HS256' })}.${claims}.${signature}`)).toBe(refused);
  expect(await heard(id, 'no token')).toBe('400 malformed');
  aheadMs = 700_000;
  expect(await heard(id, token)).toBe(refused);
  aheadMs = 0;
  expect(await heard(id, token)).toBe('401 login-refused');
}, 60_000);

test('while the provider is away nobody is let in, and nobody is told that their token was wrong', async () => {
  const away = await startOpenIdProvider(['app']);
  await away.close();
  const other = await startRelay({
    database: memoryDatabase(),
    port: 0,
    log: () => undefined,
    identity: { issuer: away.issuer, clientId: 'app' },
  });
  try {
    const id = toHex(random(32));
    const idToken = await provider.logIn('app', enrolmentNonce(primitives, id));
    const subject = { kind: 'invite', id };
    const body = { subject, challenge: toBase64Url(random(32)), signature: toBase64Url(random(64)), idToken };
    const answer = await call(other, 'POST', `/organisations/${toHex(random(32))}/sessions`, { body });
    expect([answer.status, answer.body.code]).toEqual([503, 'unavailable']);
    const { body: asked } = await call(other, 'GET', '/enrolment');
    expect(asked).toEqual({ identity: { issuer: away.issuer, clientId: 'app' } });
  } finally {
    await other.close();
  }
}, 60_000);
