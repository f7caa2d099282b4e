import { createClient } from '@redis/client';
import { addressNow, type Address } from '../sql/address.ts';
import type { Carrier, OpenCarrier } from './bus.ts';

const CONNECT_MS = 2_000;
const RETRY_MS = 50;
const LONGEST_RETRY_MS = 1_000;

/**
 * Carries over publish and subscribe of Redis 6 or newer, on one connection. `url` as redis://user:password@host:6379,
 * or rediss:// for TLS; it stays inside. What Redis keeps of it: nothing.
 */
export function redisCarrier(url: Address, channel: string): OpenCarrier {
  return (heard, subscribed) => {
    let closed = false;
    let client = connect();

    function connect() {
      const fresh = createClient({
        url: addressNow(url),
        disableOfflineQueue: true,
        disableClientInfo: true,
        maintNotifications: 'disabled',
        socket: {
          connectTimeout: CONNECT_MS,
          reconnectStrategy: (retries: number) => Math.min(RETRY_MS * 2 ** retries, LONGEST_RETRY_MS),
        },
      });
      // Silence is noticed by the heartbeat; without a listener an error ends the process.
      fresh.on('error', () => undefined);
      // It subscribes again by itself, before it says that it is ready.
      fresh.on('ready', () => subscribed());
      fresh
        .connect()
        .then(() => fresh.subscribe(channel, (bytes: Uint8Array) => heard(Uint8Array.from(bytes)), true))
        .then(subscribed, () => undefined);
      return fresh;
    }

    const carrier: Carrier = {
      async send(bytes) {
        if (client.isReady) await client.publish(channel, Buffer.from(bytes));
      },
      again() {
        if (closed) return;
        if (client.isOpen) client.destroy();
        client = connect();
      },
      close() {
        closed = true;
        if (client.isOpen) client.destroy();
        return Promise.resolve();
      },
    };
    return carrier;
  };
}

/** Whether a Redis is there that takes us. Never throws: what is wrong may quote a password. */
export async function pingRedis(url: string): Promise<boolean> {
  const socket = { connectTimeout: CONNECT_MS, reconnectStrategy: false } as const;
  try {
    const client = createClient({ url, socket, disableClientInfo: true, maintNotifications: 'disabled' });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.ping()) === 'PONG';
    } finally {
      if (client.isOpen) client.destroy();
    }
  } catch {
    return false;
  }
}
