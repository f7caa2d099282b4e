import { memoryKeyStore } from '@keytide/crypto-core';
import type { Device } from '@keytide/key-directory';
import { expect, test } from 'vitest';
import { Asking, type AskingOptions } from '../src/access-asking.ts';
import type { AccessEvent } from '../src/access-view.ts';
import { ClientError } from '../src/errors.ts';
import { OwnRequests } from '../src/own-request.ts';
import { accessWorld } from './access-world.ts';

test('keys that came while nothing could be shown are shown later, though nothing is asked for any more', async () => {
  const { world, primitives, random, alice, carol, answer, record, wireAt } = accessWorld('shown later');
  const { size } = world.state;
  const statement = { epoch: 4, checkpoint: { size }, blockStartMs: 0, blockEndMs: world.clock.now() };
  const requests = await OwnRequests.open({
    primitives,
    random,
    keyStore: memoryKeyStore(),
    signer: carol.signer,
  });
  const answers: Uint8Array[] = [];
  const events: AccessEvent[] = [];
  let isHeld = false;
  let rereads = 0;
  const asking = new Asking({
    log: {
      ports: { primitives },
      self: { device: carol.id },
      directory: {
        get state() {
          return world.state;
        },
        get size() {
          return world.state.size;
        },
        wires: (from: number) => [wireAt(from)],
      },
      pullDirectory: async () => {},
    },
    group: world.state.everyone,
    api: { ask: async () => {}, answers: async () => answers, forget: async () => {} },
    requests,
    epochs: {
      lacking: () => (isHeld ? [] : [{ statement, wasRecipient: true }]),
      statementOf: () => statement,
      importKeys: async () => {
        isHeld = true;
        return [4];
      },
    },
    now: () => world.clock.now(),
    reread: async () => {
      rereads += 1;
      if (rereads === 1) throw new ClientError('offline', 'no network');
    },
    tell: (event: AccessEvent) => void events.push(event),
  } as unknown as AskingOptions);
  expect((world.state.devices.get(carol.id) as Device).revokedAt).toBeNull();
  await asking.ask();
  const own = requests.current as NonNullable<typeof requests.current>;
  answers.push(answer(alice, own, [4]));
  record(alice, own);
  await expect(asking.tick()).rejects.toMatchObject({ code: 'offline' });
  await asking.tick();
  expect([rereads, requests.current]).toEqual([2, null]);
  await asking.tick();
  expect(rereads).toBe(2);
});
