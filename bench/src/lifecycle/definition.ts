import { defineOrganisation, sensitive, type Client, type DeviceStore, type Ports } from '@keytide/client';
import { nodePorts, openFileDeviceStore } from '@keytide/client/node';
import { z } from 'zod';

/** What the organisations of these measurements write. */
export const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string() })) });
export type App = Client<typeof definition>;

/** The machine's ports with a clock that can be set ahead, for absences that nobody waits for. */
export function leapingPorts(): { ports: Ports; leap(ms: number): void } {
  let leaptMs = 0;
  const clock = { ...nodePorts.clock, now: () => Date.now() + leaptMs };
  return { ports: { ...nodePorts, clock }, leap: (ms) => void (leaptMs += ms) };
}

/** The same where nothing can be reached. */
export function withoutNetwork(ports: Ports): Ports {
  return { ...ports, fetch: () => Promise.reject(new TypeError('no network')), WebSocket: NoSocket };
}

class NoSocket extends WebSocket {
  constructor() {
    super('ws://127.0.0.1:9');
  }
}

/** A device's files; its passphrase costs nothing, as it is not what is measured. */
export function openStore(home: string): Promise<DeviceStore> {
  const kdf = { memoryKiB: 64, passes: 1, parallelism: 1 };
  return openFileDeviceStore({ home, passphrase: 'of a device that is measured', kdf });
}
/** Resolves once exactly so many messages can be read. */
export function showing({ collections: { chat } }: App, messages: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (chat.read().length !== messages) return;
      stop();
      resolve();
    };
    const stop = chat.subscribe(look);
    look();
  });
}
