import type { DeviceId, OrgId } from '@keytide/crypto-core';
import {
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type ClientError,
  type DeviceStore,
  type Divergence,
  type Missing,
  type Ports,
} from '@keytide/client';
import { archiveOf, parseEntry } from '@keytide/key-directory';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { type HostileRelay, hostileRelay, memoryDatabase, type RelayKey } from '@keytide/testkit';
import { z } from 'zod';
import { noonPorts, now } from './noon-ports.ts';
import { rawLog } from './raw-session.ts';
import { signerIn } from './seeds.ts';

/** What every device of these tests runs. */
export const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string().min(1) })),
  requests: sensitive.record(z.object({ title: z.string().min(1), status: z.enum(['open', 'done']) })),
  places: sensitive.live(z.object({ place: z.string() }), { maxAgeMs: 60_000, minIntervalMs: 1_000 }),
});
type Device = Client<typeof definition>;

/** A device, where it keeps its things, and everything it has reported. */
export interface Person {
  readonly client: Device;
  readonly store: DeviceStore;
  readonly missing: Missing[];
  readonly divergence: Divergence[];
  /** Why it went offline or stopped, each time. */
  readonly failures: ClientError[];
}

/** A real relay behind a hostile one. */
export interface Stage {
  readonly relay: Relay;
  readonly hostile: HostileRelay;
  /** What the relay signs checkpoints with. The attacker has it, as the relay is the attacker's. */
  readonly relayKey: RelayKey;
  /** A new organisation whose first admin is ada, who is online. */
  found(ports?: Ports): Promise<Person>;
  /** Somebody new, by an invite of `inviter`. */
  admit(
    inviter: Person,
    handle: string,
    options?: { role?: 'admin' | 'member'; ports?: Ports },
  ): Promise<Person>;
  /** Another device of the same member, by an invite of their own. */
  another(owner: Person): Promise<Person>;
  /** Ada and bo, who have said hello to each other. */
  pair(ports?: Ports): Promise<{ ada: Person; bo: Person }>;
  /** Closes a person's client, and opens it again on the same store. */
  reopen(person: Person, ports?: Ports): Promise<Person>;
  /**
   * Ends all attacks and closes every client.
   * @throws when a key was sealed to a device that neither is one of these people's nor came in at the real relay, or
   *   to an archive that was never the policy's there: whatever a victim was made to believe counts for nothing
   */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** Starts both relays, the real one by this clock; slow enough to be shared by the tests of a file. */
export async function openStage(clock: { now(): number } = { now }): Promise<Stage> {
  let relay: Relay | null = null;
  const seed = nodeRandom(32);
  // A relay without a file draws its key first of all.
  const draws = [seed];
  const hostile = await hostileRelay({
    async target(publicUrl) {
      relay = await startRelay({
        database: memoryDatabase(),
        port: 0,
        publicUrl,
        clock,
        log: () => {},
        // Fails the run, whoever asked.
        undeclared: (what) => void Promise.reject(new Error(what)),
        random: (sizeBytes) => draws.pop()?.slice() ?? nodeRandom(sizeBytes),
      });
      return relay.url;
    },
  });
  const people: Person[] = [];
  const boxed = new Set<DeviceId>();
  watchBoxes();

  function watchBoxes(): void {
    hostile.attack({
      toRelay(frame) {
        if (frame.type === 'announce') for (const { device } of frame.boxes) boxed.add(device);
        return [frame];
      },
    });
  }

  async function settle(client: Promise<Device>, store: DeviceStore): Promise<Person> {
    const person: Person = { client: await client, store, missing: [], divergence: [], failures: [] };
    person.client.on('missing', (missing) => person.missing.push(missing));
    person.client.on('divergence', (divergence) => person.divergence.push(divergence));
    person.client.on('state', (state) => {
      const failure = state.kind === 'offline' ? state.reason : state.kind === 'stopped' ? state.error : null;
      if (failure !== null) person.failures.push(failure);
    });
    people.push(person);
    return person;
  }

  const stage: Stage = {
    relay: relay as unknown as Relay,
    hostile,
    relayKey: { primitives: nodePrimitives, signer: nodePrimitives.signer(seed) },
    async found(ports = noonPorts) {
      // What people who have left still had under way was theirs.
      if (people.length === 0) boxed.clear();
      const store = lastingStore();
      const ada = await settle(
        createOrganisation({ definition, ports, store, relayUrl: hostile.url, handle: 'ada' }),
        store,
      );
      await ada.client.online();
      return ada;
    },
    async admit(inviter, handle, { role = 'member', ports = noonPorts } = {}) {
      const store = lastingStore();
      const link = await inviter.client.invite({ role });
      const person = await settle(join({ definition, ports, store, link, handle }), store);
      await person.client.online();
      return person;
    },
    async another(owner) {
      const store = lastingStore();
      const link = await owner.client.inviteDevice();
      const person = await settle(join({ definition, ports: noonPorts, store, link }), store);
      await person.client.online();
      return person;
    },
    async pair(ports = noonPorts) {
      const ada = await stage.found(ports);
      const bo = await stage.admit(ada, 'bo', { ports });
      await ada.client.collections.chat.append({ text: 'hello from ada' });
      await hears(bo, 'hello from ada');
      await bo.client.collections.chat.append({ text: 'hello from bo' });
      await hears(ada, 'hello from bo');
      return { ada, bo };
    },
    async reopen(person, ports = noonPorts) {
      await person.client.close();
      people.splice(people.indexOf(person), 1);
      const { store } = person;
      return await settle(connect({ definition, ports, store }), store);
    },
    async clear() {
      hostile.relent();
      watchBoxes();
      const known = new Set(people.map(({ client }) => client.device));
      for (const wire of await trueLogs(people, stage.relay.url, hostile.url)) {
        const { author, body } = parseEntry(nodePrimitives, wire);
        known.add(author);
        const archive = 'policy' in body ? archiveOf(nodePrimitives, body) : null;
        if (archive !== null) known.add(archive.device);
      }
      for (const { client } of people.splice(0)) await client.close();
      const strangers = [...boxed].filter((device) => !known.has(device));
      boxed.clear();
      if (strangers.length > 0) throw new Error(`a key was sealed to ${strangers.join(' and ')}`);
    },
    async close() {
      await stage.clear();
      await hostile.close();
      await relay?.close();
    },
  };
  return stage;
}

/** The membership logs of these people as the real relay has them, whatever they were shown. */
async function trueLogs(people: readonly Person[], url: string, relayName: string): Promise<Uint8Array[]> {
  const logs = new Map<OrgId, Uint8Array[]>();
  for (const person of people) {
    const { org, device } = person.client;
    if (logs.has(org)) continue;
    const subject = { kind: 'device', id: device } as const;
    const wires = await rawLog({ url, relayName, org, subject, signer: await signerIn(person.store) });
    if (wires !== null) logs.set(org, wires);
  }
  return [...logs.values()].flat();
}

/** A store in memory that a client can be opened on again after it was closed. */
function lastingStore(): DeviceStore {
  return { ...memoryDeviceStore(), close: async () => {} };
}

/** Writes a chat message. */
export async function says(person: Person, text: string): Promise<void> {
  await person.client.collections.chat.append({ text });
}

/** Waits until a device shows this chat message. */
export async function hears(person: Person, text: string): Promise<void> {
  await until(() => heard(person).includes(text), `hearing '${text}'`);
}

/** Runs `attack`, lets the conversation go on, and answers the codes of what `bo` could not read meanwhile. */
export async function codesOf(ada: Person, bo: Person, attack: () => void): Promise<string[]> {
  const before = bo.client.unreadable.length;
  attack();
  await goesOn(ada, bo);
  return unreadable(bo).slice(before);
}

let sentences = 0;

/** The conversation goes on, both ways. */
export async function goesOn(ada: Person, bo: Person): Promise<void> {
  sentences += 1;
  await says(ada, `question ${sentences}`);
  await hears(bo, `question ${sentences}`);
  await says(bo, `answer ${sentences}`);
  await hears(ada, `answer ${sentences}`);
}

/** The chat messages a device shows. */
export function heard(person: Person): string[] {
  return person.client.collections.chat.read().map((item) => item.body.text);
}

/** Codes of what a device could not read, in order. */
export function unreadable(person: Person): string[] {
  return person.client.unreadable.map(({ code }) => code);
}

/** Waits for a condition; a test that waits in vain says for what. */
export async function until(condition: () => boolean, what: string, withinMs = 30_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

/** Waits until a device has stopped, and answers why. */
export async function stops(person: Person): Promise<ClientError> {
  await until(() => person.client.state.kind === 'stopped', 'a device to stop');
  const { state } = person.client;
  if (state.kind !== 'stopped') throw new Error('went on after it had stopped');
  return state.error;
}

/** The codes of why a device went offline or stopped, without repetitions. */
export function failureCodes(person: Person): string[] {
  return [...new Set(person.failures.map(({ code, relayCode }) => relayCode ?? code))];
}
