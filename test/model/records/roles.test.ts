import { createOrganisation, defineOrganisation, join, memoryDeviceStore, sensitive } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { startRelay } from '@keytide/server-relay';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { until } from '../../hostile/stage.ts';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string() })) });
const options = () => ({ definition, ports: nodePorts, store: memoryDeviceStore() });

test('a change of role starts an epoch by itself, and what is written carries the role that counts', async () => {
  const relay = await startRelay({ database: { kind: 'memory' }, port: 0, log: () => {} });
  const ada = await createOrganisation({ ...options(), relayUrl: relay.url, handle: 'ada' });
  const bo = await join({ ...options(), link: await ada.invite(), handle: 'bo' });
  try {
    await bo.online();
    await bo.collections.chat.append({ text: 'as a member' });
    await bo.settled();
    const before = bo.epoch;
    await ada.setRole(bo.member, 'admin');
    await until(() => ada.epoch === before + 1 && bo.epoch === before + 1, 'an epoch of the new role');
    await bo.collections.chat.append({ text: 'as an admin' });
    await bo.settled();
    await until(() => ada.collections.chat.read().length === 2, 'both messages');
    for (const device of [ada, bo])
      expect(device.collections.chat.read().map(({ role, body }) => [role, body.text])).toEqual([
        ['member', 'as a member'],
        ['admin', 'as an admin'],
      ]);
    expect(ada.epoch).toBe(before + 1);
  } finally {
    await bo.close();
    await ada.close();
    await relay.close();
  }
});
