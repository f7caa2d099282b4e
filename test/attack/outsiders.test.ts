import { concatBytes, idBytes, toBase64Url, toHex } from '@keytide/crypto-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, wordsOf } from './ask.ts';
import { nowhere, openGround, type Ground } from './ground.ts';
import { pathOf, takesSession } from './operations.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await openGround();
});
afterAll(() => ground.relay.close());

const text = (sizeBytes: number): string => toBase64Url(ground.world.random(sizeBytes));

describe('API3: Broken object property level authorization', () => {
  test('no route tells who has no session whether there is such an organisation', async () => {
    const { relay, world, operations, visitors, pretenders } = ground;
    const absent = nowhere(world);
    const strangers = [undefined, 'A'.repeat(86), pretenders.get('another organisation'), visitors.admin];
    for (const operation of operations.filter(takesSession)) {
      for (const token of strangers.slice(0, 3)) {
        const { method } = operation;
        const there = await ask(relay.url, { method, path: pathOf(operation, world.org), token });
        const none = await ask(relay.url, { method, path: pathOf(operation, absent), token });
        expect(wordsOf(there), operation.name).toEqual(wordsOf(none));
      }
    }
  });

  test('logging in, refreshing and fetching a share tell nobody which organisations, devices, invites and shares there are', async () => {
    const { relay, world } = ground;
    const absent = nowhere(world);
    const [member] = world.members.map(({ devices }) => devices[0].id);
    const unknown = toHex(world.random(32));
    const invite = [...world.state.invites.keys()].at(-1);
    const bodies: Record<string, unknown[]> = {
      challenges: [
        { subject: { kind: 'device', id: member } },
        { subject: { kind: 'device', id: unknown } },
        { subject: { kind: 'invite', id: invite } },
        { subject: { kind: 'recovery', id: toHex(world.state.policy.recoveryKey as Uint8Array) } },
      ],
      sessions: [member, unknown].map((id) => {
        return { subject: { kind: 'device', id }, challenge: text(32), signature: text(64) };
      }),
      'sessions/refresh': [
        { refreshToken: toBase64Url(concatBytes(idBytes(world.org), world.random(64))) },
        { refreshToken: toBase64Url(concatBytes(idBytes(absent), world.random(64))) },
        { refreshToken: text(12) },
      ],
      'unlock-share/fetch': [{ id: text(32), proof: text(32) }],
    };
    for (const [route, each] of Object.entries(bodies)) {
      const words = new Set<string>();
      for (const org of [world.org, absent]) {
        for (const body of each) {
          const path = `/v1/organisations/${org}/${route}`;
          const told = await ask(relay.url, { method: 'POST', path, body: JSON.stringify(body) });
          words.add(JSON.stringify(wordsOf(told)).replace(/challenge\\":\\"[\w-]{43}/, 'challenge'));
        }
      }
      expect([...words], route).toHaveLength(1);
    }
  });

  test('an invite, a recovery key and a wiped device learn nothing of who is there but from the membership log', async () => {
    const { relay, world, visitors } = ground;
    const there = world.members[1]?.devices[0].id;
    for (const token of [visitors.invite, visitors.recovery, visitors.wiped]) {
      for (const rest of [
        'pre-keys',
        'access/requests',
        'unlock-share/attempts',
        'wipe-receipts',
        'mail?after=0',
      ]) {
        const path = `/v1/organisations/${world.org}/${rest}`;
        expect(await ask(relay.url, { method: 'GET', path, token })).toMatchObject({ status: 403 });
      }
      const words = new Set<string>();
      for (const device of [there, toHex(world.random(32))]) {
        const path = `/v1/organisations/${world.org}/pre-keys/${device}`;
        words.add(JSON.stringify(wordsOf(await ask(relay.url, { method: 'POST', path, token }))));
      }
      expect(words.size).toBe(1);
    }
  });
});
