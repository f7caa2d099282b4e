import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  sensitive,
  type Client,
  type DeviceStore,
  type Ports,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { decodeClientFrame } from '@keytide/relay-protocol';
import { startRelay, type LogEvent, type Relay, type RelayOptions } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { z } from 'zod';
import { crashingStore } from './crashing-store.ts';

/** What every device of these tests runs. */
const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string().min(1) })),
  requests: sensitive.record(z.object({ title: z.string().min(1) })),
});
export type Device = Client<typeof definition>;

/** A relay, and people with devices in memory. */
export interface Stand {
  readonly relay: Relay;
  /** What the relay has logged. */
  readonly events: readonly LogEvent[];
  found(ports?: Ports, store?: DeviceStore): Promise<Device>;
  admit(inviter: Device, handle: string, ports?: Ports, store?: DeviceStore): Promise<Device>;
  open(store: DeviceStore, ports?: Ports): Promise<Device>;
  close(): Promise<void>;
}

/** Starts a relay in memory, by this clock, with these limits. */
export async function openStand(
  clock: { now(): number } = { now: () => Date.now() },
  limits: NonNullable<RelayOptions['limits']> = {},
): Promise<Stand> {
  const events: LogEvent[] = [];
  const log = (event: LogEvent): void => void events.push(event);
  const relay = await startRelay({
    database: memoryDatabase(),
    port: 0,
    clock,
    log,
    limits: { accessMs: 6 * 3_600_000, ...limits },
    // Fails the run, whoever asked.
    undeclared: (what) => void Promise.reject(new Error(what)),
  });
  const devices: Device[] = [];
  const kept = async (opening: Promise<Device>): Promise<Device> => {
    const device = await opening;
    devices.push(device);
    await device.online();
    return device;
  };
  return {
    relay,
    events,
    found: (ports = nodePorts, store = crashingStore()) =>
      kept(createOrganisation({ definition, ports, store, relayUrl: relay.url, handle: 'ada' })),
    async admit(inviter, handle, ports = nodePorts, store = crashingStore()) {
      const link = await inviter.invite();
      return kept(join({ definition, ports, store, link, handle }));
    },
    async open(store, ports = nodePorts) {
      const device = await connect({ definition, ports, store });
      devices.push(device);
      return device;
    },
    async close() {
      for (const device of devices) await device.close();
      await relay.close();
    },
  };
}

/** What a device asked of its relay: frames by type, and calls. */
interface Asked {
  readonly frames: string[];
  readonly calls: string[];
  /** How many frames the relay has sent. */
  received: number;
}

/** The same ports, and an account of what goes through them. */
export function countedPorts(ports: Ports): { ports: Ports; asked: Asked } {
  const asked: Asked = { frames: [], calls: [], received: 0 };
  class CountedWebSocket extends ports.WebSocket {
    constructor(url: string | URL) {
      super(url);
      this.addEventListener('message', () => void (asked.received += 1));
    }
    override send(data: Parameters<WebSocket['send']>[0]): void {
      asked.frames.push(decodeClientFrame(data as Uint8Array).type);
      super.send(data);
    }
  }
  const counted: Ports = {
    ...ports,
    WebSocket: CountedWebSocket,
    fetch: (input, init) => {
      asked.calls.push(String(input));
      return ports.fetch(input, init);
    },
  };
  return { ports: counted, asked };
}

/** The texts that a device shows. */
export function texts(device: Device): string[] {
  return device.collections.chat.read().map(({ body }) => body.text);
}
