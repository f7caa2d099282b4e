import {
  createOrganisation,
  DEFAULT_POLICY,
  defineOrganisation,
  join,
  memoryDeviceStore,
  openProvenDirectory,
  sensitive,
  type Client,
  type DeviceStore,
  type ProvenDirectory,
} from '@keytide/client';
import { nodePorts as ports } from '@keytide/client/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
type Device = Client<typeof definition>;

const PATIENCE = { timeout: 30_000 };
const policy = { ...DEFAULT_POLICY, witnesses: { needed: 2, maxAgeSeconds: 3600 } };
const kept = (): DeviceStore => ({ ...memoryDeviceStore(), close: async () => {} });

let relay: Relay;
let ada: Device;
let bo: Device;
let cy: Device;
const cyStore = kept();

/** Until the admins' devices, which cosign by themselves, have brought it about. */
async function proven(options: { store: DeviceStore; link?: string }): Promise<ProvenDirectory> {
  let opened: ProvenDirectory | null = null;
  await expect
    .poll(async () => {
      opened = await openProvenDirectory({ ports, replayLimit: 1, ...options }).catch((error) => {
        if (error.code !== 'unwitnessed') throw error;
        return null;
      });
      return opened !== null;
    }, PATIENCE)
    .toBe(true);
  return opened as unknown as ProvenDirectory;
}

beforeAll(async () => {
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
});

afterAll(async () => {
  for (const client of [ada, bo, cy]) await client?.close();
  await relay?.close();
});

test('two admins let each other and a member in', async () => {
  const options = { definition, ports };
  ada = await createOrganisation({ ...options, store: kept(), relayUrl: relay.url, handle: 'ada', policy });
  await expect.poll(() => ada.witnesses.isMet, PATIENCE).toBe(true);
  bo = await join({ ...options, store: kept(), link: await ada.invite({ role: 'admin' }), handle: 'bo' });
  await expect.poll(() => ada.witnesses.isMet, PATIENCE).toBe(true);
  cy = await join({ ...options, store: cyStore, link: await ada.invite(), handle: 'cy' });
});

test('a newcomer believes what the devices of both admins have replayed and cosigned', async () => {
  await expect.poll(() => ada.witnesses.isMet, PATIENCE).toBe(true);
  const directory = await proven({ store: kept(), link: await ada.invite() });
  expect(directory.activeDevices).toBe(3);
  expect([...directory.admins].toSorted()).toEqual([ada.member, bo.member].toSorted());
  expect((await directory.member(cy.member))?.handle).toBe('cy');
  await directory.audit();
});

test('a device goes on by proofs from where it stopped to replay', async () => {
  const { device, member } = cy;
  await cy.close();
  const directory = await proven({ store: cyStore });
  expect(await directory.self()).toMatchObject({
    device: { id: device, role: 'member' },
    member: { id: member },
  });
  await expect.poll(() => ada.witnesses.isMet, PATIENCE).toBe(true);
  await ada.setRole(member, 'exporter');
  await expect
    .poll(async () => {
      await directory.refresh().catch((error) => {
        if (error.code !== 'unwitnessed') throw error;
      });
      return (await directory.self())?.device.role;
    }, PATIENCE)
    .toBe('exporter');
  expect((await directory.device(ada.device))?.role).toBe('admin');
  await directory.audit();
});
