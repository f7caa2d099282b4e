import { connect, createOrganisation, join, type DeviceStore, type Ports } from '@keytide/client';
import type { DeviceId, Signer } from '@keytide/crypto-core';
import { startRelay, type Relay } from '@keytide/server-relay';
import { type HostileRelay, hostileRelay, memoryDatabase } from '@keytide/testkit';
import { noonPorts, now } from '../../hostile/noon-ports.ts';
import { signerIn } from '../../hostile/seeds.ts';
import { definition, keptStore, type Device } from '../../stories/chat-people.ts';

/** A device with a real client, and every 32 bytes it ever drew. */
export interface User {
  readonly name: string;
  readonly id: DeviceId;
  readonly signer: Signer;
  readonly drawn: readonly Uint8Array[];
  client: Device;
  leave(): Promise<void>;
  comeBack(): Promise<void>;
}

/** A real relay behind a hostile one. */
export interface Office {
  readonly hostile: HostileRelay;
  found(name: string, person: string): Promise<User>;
  enter(name: string, link: string, person: string): Promise<User>;
  close(): Promise<void>;
}

export async function openOffice(): Promise<Office> {
  let relay: Relay | null = null;
  const hostile = await hostileRelay({
    async target(publicUrl) {
      const database = memoryDatabase();
      relay = await startRelay({ database, port: 0, publicUrl, clock: { now }, log: () => {} });
      return relay.url;
    },
  });
  return {
    hostile,
    found: (name, handle) =>
      userOf(name, (options) => createOrganisation({ ...options, relayUrl: hostile.url, handle })),
    enter: (name, link, handle) => userOf(name, (options) => join({ ...options, link, handle })),
    async close() {
      await hostile.close();
      await relay?.close();
    },
  };
}

type Options = { definition: typeof definition; ports: Ports; store: DeviceStore };

async function userOf(name: string, begin: (options: Options) => Promise<Device>): Promise<User> {
  const drawn: Uint8Array[] = [];
  const ports: Ports = {
    ...noonPorts,
    random(sizeBytes) {
      const bytes = noonPorts.random(sizeBytes);
      if (sizeBytes === 32) drawn.push(bytes.slice());
      return bytes;
    },
  };
  const store = keptStore();
  const client = await begin({ definition, ports, store });
  await client.online();
  const user: User = {
    name,
    id: client.device,
    signer: await signerIn(store),
    drawn,
    client,
    leave: () => user.client.close(),
    async comeBack() {
      user.client = await connect({ definition, ports, store });
    },
  };
  return user;
}
