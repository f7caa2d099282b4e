import { createServer, request } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import {
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
  type Ports,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
type Device = Client<typeof definition>;

/** What stands between a device and the relay, and may let WebSockets through or not. */
interface Proxy {
  readonly url: string;
  readonly upgrades: string[];
  letsThrough: boolean;
  close(): Promise<void>;
}

/** Minutes are moments: how long a device goes without before it tries a socket again. */
const hurried: Ports = {
  ...nodePorts,
  clock: {
    now: () => nodePorts.clock.now(),
    wait: (ms, signal) => nodePorts.clock.wait(ms === 300_000 ? 500 : ms, signal),
  },
};

async function openProxy(target: () => Relay): Promise<Proxy> {
  const server = createServer((asked, answer) => {
    const { method, headers, url } = asked;
    const call = request(`${target().url}${url}`, { method, headers }, (told) => {
      answer.writeHead(told.statusCode ?? 502, told.headers);
      told.pipe(answer);
    });
    call.on('error', () => answer.destroy());
    asked.pipe(call);
  });
  const proxy = { letsThrough: false, upgrades: [] as string[] };
  server.on('upgrade', (asked, socket, head) => {
    proxy.upgrades.push(proxy.letsThrough ? 'let through' : 'refused');
    if (!proxy.letsThrough) return void socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n');
    const { hostname, port } = new URL(target().url);
    const on = connect(Number(port), hostname, () => {
      const lines = asked.rawHeaders.flatMap((name, i, all) =>
        i % 2 === 0 ? [`${name}: ${all[i + 1]}`] : [],
      );
      on.write(`GET ${asked.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      on.write(head);
      on.pipe(socket).pipe(on);
    });
    for (const each of [on, socket]) each.on('error', () => [on, socket].map((side) => side.destroy()));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

let proxy: Proxy;
let relay: Relay;
let ada: Device;
let bo: Device;
const options = () => ({ definition, ports: hurried, store: memoryDeviceStore() });

beforeAll(async () => {
  proxy = await openProxy(() => relay);
  relay = await startRelay({
    database: memoryDatabase(),
    port: 0,
    publicUrl: proxy.url,
    log: () => {},
    // Fails the run, whoever asked.
    undeclared: (what) => void Promise.reject(new Error(what)),
  });
  ada = await createOrganisation({ ...options(), relayUrl: proxy.url, handle: 'ada' });
  await ada.online();
});
afterAll(async () => {
  await ada?.close();
  await bo?.close();
  await relay?.close();
  await proxy?.close();
});

/** Until this device has read so many messages. */
async function texts(device: Device, count: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { body } of device.collections.chat.follow(AbortSignal.timeout(50_000))) {
    found.push(body.text);
    if (found.length === count) break;
  }
  return found;
}

test('where no WebSocket comes through, a device is online by plain requests, after three attempts', () => {
  expect(ada.state.kind).toBe('online');
  expect(proxy.upgrades.slice(0, 3)).toEqual(['refused', 'refused', 'refused']);
});

test('who joins there writes and reads, in order, as anywhere; what is said arrives without waiting', async () => {
  bo = await join({ ...options(), link: await ada.invite(), handle: 'bo' });
  await bo.online();
  await ada.collections.chat.append({ text: 'is anybody there?' });
  await bo.collections.chat.append({ text: 'behind a proxy' });
  expect((await texts(ada, 2)).toSorted()).toEqual(['behind a proxy', 'is anybody there?']);
  expect(await texts(bo, 2)).toEqual(await texts(ada, 2));
  const startMs = performance.now();
  const arrived = texts(bo, 12);
  for (let i = 0; i < 10; i += 1) await ada.collections.chat.append({ text: `${i}` });
  expect((await arrived).slice(2)).toEqual(Array.from({ length: 10 }, (_none, i) => `${i}`));
  expect(performance.now() - startMs).toBeLessThan(14_000);
});

test('who is removed is cut off while it waits', async () => {
  const cy = await join({ ...options(), link: await ada.invite(), handle: 'cy' });
  await cy.online();
  const member = ada.members().find(({ handle }) => handle === 'cy');
  await ada.removeMember(member!.id);
  await expect.poll(() => cy.state.kind, { timeout: 20_000 }).toBe('stopped');
  await cy.close();
});

test('as soon as a socket comes through, it is taken again', async () => {
  // Of each device one that tries, and one that is used.
  proxy.letsThrough = true;
  await expect
    .poll(() => proxy.upgrades.filter((each) => each === 'let through').length, { timeout: 20_000 })
    .toBeGreaterThan(3);
  await ada.online();
  await ada.collections.chat.append({ text: 'by a socket' });
  expect((await texts(bo, 13)).at(-1)).toBe('by a socket');
});
