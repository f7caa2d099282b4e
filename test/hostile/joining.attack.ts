import { fromBase64Url, toBase64Url } from '@keytide/crypto-core';
import { createOrganisation, join, memoryDeviceStore } from '@keytide/client';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { createInvite, replay } from '@keytide/key-directory';
import {
  claimSize,
  forgeMembershipLog,
  hostileRelay,
  seededDevice,
  signLog,
  swallowEntries,
  swapKeysAtJoin,
} from '@keytide/testkit/hostile-relay';
import { describe, expect, test } from 'vitest';
import { inviteOf } from './invite-of.ts';
import { burgle } from './loot.ts';
import { noonPorts, now } from './noon-ports.ts';
import { rawLogin } from './raw-session.ts';
import { definition, goesOn, stops, type Stage } from './stage.ts';

/** Whoever joins, joins the organisation that invited them, with keys of their own; the relay cannot put another in the way. */
export function hijackedJoins(stage: () => Stage): void {
  const joiner = (link: string) => ({
    definition,
    ports: noonPorts,
    store: memoryDeviceStore(),
    link,
    handle: 'cy',
  });

  describe('who joins', () => {
    test('is shown the log of another organisation', async () => {
      const { ada } = await stage().pair();
      const other = await burgle((await stage().pair()).ada);
      const link = await ada.client.invite();
      forgeMembershipLog(stage().hostile, inviteOf(link), () => other.wires);
      const options = joiner(link);
      await expect(join(options)).rejects.toMatchObject({ code: 'relay-forked' });
      expect((await options.store.journal('membership')).length).toBe(0);
    });

    test('is shown a log that ends before the invite', async () => {
      const { ada } = await stage().pair();
      const link = await ada.client.invite();
      forgeMembershipLog(stage().hostile, inviteOf(link), (wires) => wires.slice(0, 3));
      await expect(join(joiner(link))).rejects.toMatchObject({ code: 'relay-forked' });
    });

    test('is shown another log by the rules, made with a stolen admin key', async () => {
      const { ada } = await stage().pair();
      const { signer } = await burgle(ada);
      const link = await ada.client.invite();
      forgeMembershipLog(stage().hostile, inviteOf(link), (wires) => {
        const state = replay(primitives, wires.slice(0, 3));
        const nowMs = now();
        const context = { primitives, random: nodeRandom, state, signer, nowMs };
        return [
          ...wires.slice(0, 3),
          createInvite({ ...context, role: 'admin', expiresMs: nowMs + 1000 }).wire,
        ];
      });
      await expect(join(joiner(link))).rejects.toMatchObject({ code: 'relay-forked' });
    });

    test('finds nobody with swapped keys let in', async () => {
      const { ada, bo } = await stage().pair();
      const ghost = seededDevice(primitives, nodeRandom, now());
      const link = await ada.client.invite();
      const swapped = swapKeysAtJoin(stage().hostile, inviteOf(link), { primitives, ghost });
      // An honest relay refuses the swapped entry, so its accomplice must show it to the members itself.
      await expect(join(joiner(link))).rejects.toMatchObject({ relayCode: 'entry-refused' });
      forgeMembershipLog(stage().hostile, bo.client.device, (wires) => [...wires, ...swapped.entries]);
      claimSize(stage().hostile, bo.client.device, 5);
      const error = await stops(bo);
      expect(error).toMatchObject({ code: 'relay-forked', cause: { code: 'bad-signature' } });
      expect(bo.client.members().map(({ handle }) => handle)).toEqual(['ada', 'bo']);
    });

    test('by an invite that was used, with a relay that hides the use', async () => {
      const { ada, bo } = await stage().pair();
      const link = await ada.client.invite();
      const { wires } = await burgle(ada);
      const cy = await join(joiner(link));
      await cy.close();
      const second: Uint8Array[] = [];
      // Neither the login with the invite nor what follows it reaches the true relay.
      const relent = stage().hostile.attack({
        async call(call, forward) {
          if (call.who !== null && call.who !== inviteOf(link)) return await forward(call);
          if (call.path.endsWith('/organisations')) return { status: 201, body: {} };
          if (call.path.endsWith('/challenges'))
            return { status: 200, body: { challenge: toBase64Url(nodeRandom(32)), expiresAtMs: now() } };
          if (call.path.endsWith('/sessions'))
            return { status: 200, body: { token: 'of-the-attacker', expiresAtMs: now() + 60_000 } };
          if (call.path.endsWith('/log/checkpoint'))
            return { status: 200, body: signLog({ ...stage().relayKey, org: ada.client.org }, wires).note };
          if (call.method === 'GET')
            return { status: 200, body: { entries: wires.map(toBase64Url), size: wires.length } };
          second.push(entryOf(call.body));
          return { status: 201, body: { index: wires.length } };
        },
      });
      await expect(join({ ...joiner(link), handle: 'di' })).rejects.toMatchObject({
        relayCode: 'login-refused',
      });
      relent();
      expect(second).toHaveLength(1);
      await goesOn(ada, bo);
      forgeMembershipLog(stage().hostile, bo.client.device, (all) => [...all, ...second]);
      claimSize(stage().hostile, bo.client.device, 6);
      expect(await stops(bo)).toMatchObject({ code: 'relay-forked' });
      expect(bo.client.members().map(({ handle }) => handle)).toEqual(['ada', 'bo', 'cy']);
    });

    test('with a relay that takes the entry and drops it', async () => {
      const { ada, bo } = await stage().pair();
      const link = await ada.client.invite();
      const relent = swallowEntries(stage().hostile, inviteOf(link), 4);
      await expect(join(joiner(link))).rejects.toMatchObject({ relayCode: 'login-refused' });
      relent();
      await goesOn(ada, bo);
    });
  });

  describe('who invites', () => {
    test('is told when the relay drops the invite', async () => {
      const { ada, bo } = await stage().pair();
      const relent = swallowEntries(stage().hostile, ada.client.device, 3);
      await expect(ada.client.invite()).rejects.toMatchObject({ code: 'relay-misbehaved' });
      relent();
      await goesOn(ada, bo);
    });
  });

  describe('a login', () => {
    test('forwarded by another relay is worth nothing at the true one', async () => {
      const ada = await stage().found();
      const { signer, device } = await burgle(ada);
      const { hostile } = stage();
      const other = await hostileRelay({ target: hostile.url });
      try {
        const login = { org: ada.client.org, subject: { kind: 'device', id: device } as const, signer };
        // What the other relay gets signed names the other relay, whoever made the challenge.
        const forwarded = await rawLogin({ ...login, url: other.url, relayName: other.url });
        expect(forwarded.body.code).toBe('login-refused');
        const direct = await rawLogin({ ...login, url: other.url, relayName: hostile.url });
        expect(direct.status).toBe(200);
      } finally {
        await other.close();
      }
    });

    test('of a client goes to no relay but the one it was told of', async () => {
      const { hostile } = stage();
      const other = await hostileRelay({ target: hostile.url });
      try {
        const store = memoryDeviceStore();
        const options = { definition, ports: noonPorts, store, relayUrl: other.url, handle: 'ada' };
        await expect(createOrganisation(options)).rejects.toMatchObject({ relayCode: 'login-refused' });
      } finally {
        await other.close();
      }
    });
  });
}

function entryOf(body: unknown): Uint8Array {
  return fromBase64Url((body as { entry: string }).entry) as Uint8Array;
}
