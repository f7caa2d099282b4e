import { readFile } from 'node:fs/promises';
import { fromBase64Url, orgId, signBytes, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { loginBytes } from '@keytide/relay-protocol';
import { openStore, DEFAULT_LIMITS } from '@keytide/server-relay';
import { memoryDatabase, seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { createLogins } from '../src/logins.ts';
import { asDevice } from './relay-under-test.ts';

const page = new URL('../../../docs/spec/sessions.md', import.meta.url);

test('tokens and ids of sessions are those of docs/spec/sessions.md', async () => {
  const blocks = (await readFile(page, 'utf8')).matchAll(/^```hex ([\w-]+)\n([0-9a-f\s]+)```$/gm);
  const examples = Object.fromEntries(
    Array.from(blocks, ([, name, hex = '']) => [name, hex.replaceAll(/\s/g, '')]),
  );
  const world = seededWorld({ seed: 'tokens', members: 1 });
  const { store } = await openStore(memoryDatabase(), primitives, 0);
  try {
    // One for nobody's key and one for the challenge come before the three of a session.
    let drawn = 0;
    const logins = createLogins({
      store,
      organisations: { find: () => Promise.resolve({ org, state: world.state }) } as never,
      primitives,
      random: (sizeBytes) => new Uint8Array(sizeBytes).fill((drawn += 1)),
      clock: { now: () => 1_000 },
      limits: DEFAULT_LIMITS,
      relayName: () => 'http://relay.example',
      isSettling: () => false,
      reused: () => Promise.resolve(),
    });
    const org = orgId(new Uint8Array(32).fill(0x0a));
    const { subject, signer } = asDevice(world.members[0].devices[0]);
    const { challenge } = await logins.challenge(org, subject);
    const claim = loginBytes({ relayName: 'http://relay.example', org, subject, challenge });
    const signature = signBytes(primitives, signer, 'login', claim);
    const { token, refreshToken } = await logins.login(org, subject, { challenge, signature });
    const [access, refresh] = [token, refreshToken].map((text) => fromBase64Url(text) as Uint8Array);
    const { id } = await logins.session(token);
    expect({
      'access-token': toHex(access as Uint8Array),
      'refresh-token': toHex(refresh as Uint8Array),
      'session-id': toHex(id),
    }).toEqual(Object.fromEntries(Object.entries(examples).slice(2)));
  } finally {
    await store.close();
  }
});
