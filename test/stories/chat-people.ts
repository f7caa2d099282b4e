import {
  connect,
  defineOrganisation,
  memoryDeviceStore,
  sensitive,
  type Client,
  type DeviceStore,
  type Ports,
} from '@keytide/client';
import { expect } from 'vitest';
import { z } from 'zod';
import type { leapingClock } from './leaping-clock.ts';

/** What everybody runs in stories that are not about the application. */
export const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
export type Device = Client<typeof definition>;

/** Somebody with one device, which can be turned off and on. */
export interface Person {
  client: Device;
  readonly store: DeviceStore;
  readonly ports: Ports;
  /** How often it has come online. */
  onlineTimes: number;
}

interface Entered {
  readonly definition: typeof definition;
  readonly ports: Ports;
  readonly store: DeviceStore;
}

const PATIENCE = { timeout: 40_000 };

/** A store in memory that outlives its client. */
export const keptStore = (): DeviceStore => ({ ...memoryDeviceStore(), close: async () => {} });

/** People who talk, by the clock of their story. */
export function chatPeople(clock: ReturnType<typeof leapingClock>) {
  const awake = new Set<Person>();
  const turned = (one: Person): Person => {
    one.onlineTimes += one.client.state.kind === 'online' ? 1 : 0;
    one.client.on('state', ({ kind }) => {
      if (kind === 'online') one.onlineTimes += 1;
    });
    awake.add(one);
    return one;
  };
  return {
    /** Somebody whose device `begin` opens: `createOrganisation`, or `join`. */
    async enters(begin: (entered: Entered) => Promise<Device>, ports = clock.ports()): Promise<Person> {
      const store = keptStore();
      return turned({ client: await begin({ definition, ports, store }), store, ports, onlineTimes: 0 });
    },

    /** Turns a device off. */
    async leaves(one: Person): Promise<void> {
      awake.delete(one);
      await one.client.close();
    },

    /** Turns it on, whether or not there is a relay. */
    async turnsOn(one: Person, ports = one.ports): Promise<Person> {
      one.client = await connect({ definition, ports, store: one.store });
      return turned(one);
    },

    /** Turns it on, and waits until it is online. */
    async returns(one: Person, ports?: Ports): Promise<Person> {
      await this.turnsOn(one, ports);
      await one.client.online();
      return one;
    },

    /** Everybody sleeps, and so much later those who are awake are online again. */
    async sleep(ms: number, waking: Iterable<Person> = awake): Promise<void> {
      const before = [...waking].map((one) => [one, one.onlineTimes] as const);
      clock.leap(ms);
      for (const [one, times] of before)
        await expect.poll(() => one.onlineTimes > times && one.client.state.kind, PATIENCE).toBe('online');
    },

    async close(): Promise<void> {
      for (const { client } of awake) await client.close();
    },
  };
}

/** Writes, and waits until the relay has it. */
export async function says({ client }: Pick<Person, 'client'>, text: string): Promise<void> {
  await client.collections.chat.append({ text });
  await client.settled();
}

export function textsOf({ client }: Pick<Person, 'client'>): string[] {
  return client.collections.chat.read().map(({ body }) => body.text);
}

export async function hears(one: Pick<Person, 'client'>, text: string): Promise<void> {
  await expect.poll(() => textsOf(one), PATIENCE).toContain(text);
}

/** Why what cannot be read cannot be read: each reason once. */
export function reasonsOf({ client }: Pick<Person, 'client'>): Set<string> {
  return new Set(client.unreadable.map(({ code }) => code));
}
