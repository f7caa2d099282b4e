import { attachment, connect, defineOrganisation, sensitive, type Client } from '@keytide/client';
import { nodePorts, openFileDeviceStore } from '@keytide/client/node';
import { z } from 'zod';
import type { Place } from './export-place.ts';
import { QUICK_KDF } from './organisation.ts';

/** What is exported under kills. */
export const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string(), file: attachment().exactOptional() })),
});

/** What the child is told: whose device it is, and where the archive goes. */
export interface Exporting {
  readonly home: string;
  readonly place: Place;
  /** An X-Wing key in hexadecimal. */
  readonly recipient: string;
}

/** Opens the device, and waits for what the relay has. */
export async function openExporter(home: string): Promise<Client<typeof definition>> {
  const store = await openFileDeviceStore({ home, passphrase: 'p', kdf: QUICK_KDF });
  const client = await connect({ definition, ports: nodePorts, store });
  await client.online();
  return client;
}
