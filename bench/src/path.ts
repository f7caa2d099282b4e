/**
 * From send to received, through a real relay process on the embedded database: what a person waits for,
 * and how much goes through. Devices keep their state in memory, so the relay's durability is measured and
 * the devices' is not.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { createInterface } from 'node:readline';
import {
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  sensitive,
  type Client,
} from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { z } from 'zod';
import { percentile, plainRow, type BenchOptions, type Row } from './rows.ts';

const definition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string() })),
  requests: sensitive.record(
    z.object({
      lat: z.number(),
      lng: z.number(),
      title: z.string(),
      township: z.string(),
      address: z.string(),
    }),
  ),
});
type Device = Client<typeof definition>;

/** Groups of 2 and of 100 devices, and an import of 1,500 requests. */
export async function* benchPath({ quick, note }: BenchOptions): AsyncGenerator<Row[]> {
  const folder = await mkdtemp(joinPath(tmpdir(), 'keytide-bench-'));
  const relay = await startRelayProcess(folder);
  try {
    for (const devices of [2, quick ? 20 : 100]) {
      note(`group of ${devices} devices: joining`);
      const group = await makeGroup(relay.url, devices);
      const rows: Row[] = [];
      try {
        const work = { bench: 'path', work: `group of ${devices}` };
        note(`group of ${devices} devices: one message at a time`);
        const latencies = await measureLatency(group, quick ? 50 : 200);
        for (const [name, share] of [
          ['p50', 0.5],
          ['p99', 0.99],
        ] as const) {
          const value = percentile(latencies, share);
          const row = plainRow(
            { ...work, work: `${work.work}: send to received, ${name}`, n: latencies.length, unit: 'ms' },
            latencies,
          );
          rows.push({ ...row, value });
        }
        note(`group of ${devices} devices: as many as go through`);
        const messages = quick || devices > 2 ? 300 : 2_000;
        const rates: number[] = [];
        for (let round = 0; round < 3; round += 1) rates.push(await measureRate(group, messages));
        rows.push(
          plainRow(
            { ...work, work: `${work.work}: sent and received by all`, n: messages, unit: 'messages/s' },
            rates,
          ),
        );
        if (devices === 2) {
          note('import of 1,500 requests');
          const seconds = await measureImport(group, 1_500);
          rows.push(
            plainRow({ bench: 'path', work: 'import of 1,500 requests, received', n: 1_500, unit: 's' }, [
              seconds,
            ]),
          );
        }
      } finally {
        await Promise.all(group.map((device) => device.close()));
      }
      yield rows;
    }
  } finally {
    await relay.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function startRelayProcess(folder: string): Promise<{ url: string; stop(): Promise<void> }> {
  const keytide = joinPath(import.meta.dirname, '../../packages/cli/dist/keytide.js');
  const args = [keytide, 'relay', '--data', joinPath(folder, 'relay'), '--port', '0', '--json'];
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
  const url = await new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      const event = JSON.parse(line) as { event?: string; url?: string };
      if (event.event === 'listening' && event.url !== undefined) resolve(event.url);
    });
    void ended.then(() => reject(new Error('the relay ended before it listened')));
  });
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function makeGroup(relayUrl: string, devices: number): Promise<Device[]> {
  const common = { definition, ports: nodePorts };
  const admin = await createOrganisation({
    ...common,
    store: memoryDeviceStore(),
    relayUrl,
    handle: 'admin',
  });
  const group: Device[] = [admin];
  while (group.length < devices) {
    const link = await admin.invite();
    group.push(await join({ ...common, store: memoryDeviceStore(), link, handle: `member ${group.length}` }));
  }
  await Promise.all(group.map((device) => device.online()));
  await admin.collections.chat.append({ text: 'first' });
  await Promise.all(group.map((device) => received(device, 1)));
  return group;
}

/** Until this device has `count` chat messages. */
async function received(device: Device, count: number): Promise<void> {
  let seen = 0;
  for await (const _ of device.collections.chat.follow()) {
    seen += 1;
    if (seen >= count) return;
  }
}

async function measureLatency(group: readonly Device[], messages: number): Promise<number[]> {
  const [sender, receiver] = [group[0] as Device, group.at(-1) as Device];
  const before = receiver.collections.chat.read().length;
  const latencies: number[] = [];
  for (let i = 1; i <= messages; i += 1) {
    const start = performance.now();
    await sender.collections.chat.append({ text: TEXT });
    await received(receiver, before + i);
    latencies.push(performance.now() - start);
  }
  return latencies.toSorted((a, b) => a - b);
}

async function measureRate(group: readonly Device[], messages: number): Promise<number> {
  const [sender] = group as [Device];
  const before = sender.collections.chat.read().length;
  const start = performance.now();
  for (let i = 0; i < messages; i += 1) await sender.collections.chat.append({ text: TEXT });
  await Promise.all(group.map((device) => received(device, before + messages)));
  return messages / ((performance.now() - start) / 1000);
}

async function measureImport(group: readonly Device[], rows: number): Promise<number> {
  const [sender, receiver] = group as [Device, Device];
  const start = performance.now();
  await sender.collections.requests.createMany(
    Array.from({ length: rows }, (_, i) => ({
      lat: 40 + i / 10_000,
      lng: -75 - i / 10_000,
      title: `EMS: FALL VICTIM ${i}`,
      township: 'NORRISTOWN',
      address: `${i} MAIN ST & E SPRUCE ST`,
    })),
  );
  await sender.settled();
  let seen = 0;
  for await (const _ of receiver.collections.requests.follow()) {
    seen += 1;
    if (seen === rows) break;
  }
  return (performance.now() - start) / 1000;
}

/** 1 KB, the size that all our measurements of messages use. */
const TEXT = 'x'.repeat(1_000);
