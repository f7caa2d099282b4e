/**
 * A device as a process of its own, for a parent that kills it. It says `durable` for what `append` or
 * `createMany` has acknowledged, `seen` for what it shows, and `trouble` for what must never happen.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientError, connect, createOrganisation, join, type Ports } from '@keytide/client';
import { nodePorts, openFileDeviceStore } from '@keytide/client/node';
import type { Item } from './history.ts';
import type { Command, Life, Report } from './life.ts';
import { organisation, QUICK_KDF, type Device } from './organisation.ts';
import { givenArgument, onCommand, say } from './parent.ts';
import { scheduleOf } from './schedule.ts';

const life = givenArgument<Life>();
const schedule = scheduleOf(life.seed);
// The pauses between attempts to reach the relay, at most 10 s, are the one thing that need not be real here.
const { clock } = nodePorts;
const ports: Ports = {
  ...nodePorts,
  clock: { now: clock.now, wait: (ms, signal) => clock.wait(ms > 10_000 ? ms : ms / 20, signal) },
};
const imported: Item[] = [];
let written = 0;
let writing: Promise<void> = Promise.resolve();
const early: Command[] = [];
let obey: (command: Command) => void = (command) => void early.push(command);
onCommand<Command>((command) => obey(command));

const store = await openFileDeviceStore({ home: life.home, passphrase: 'p', kdf: QUICK_KDF });
const device = await enter();
watch(device);
say('open', { org: device.org });
obey = (command) => void carryOut(command);
early.forEach(obey);

/** Enters as a person would: again and again with the same home, until the relay is there. */
async function enter(): Promise<Device> {
  const { blockSeconds } = life;
  // A machine that is busy and devices that are killed must not count as silent.
  const policy = { blockSeconds, retentionSeconds: 86_400, exportSeconds: 86_400, silenceSeconds: 86_400 };
  const options = { definition: organisation, ports, store, handle: life.handle };
  for (;;) {
    try {
      if (life.enter === 'connect') return await connect(options);
      if (life.enter === 'join') return await join({ ...options, link: life.at });
      return await createOrganisation({ ...options, relayUrl: life.at, policy });
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'offline') throw error;
      await sleep(20);
    }
  }
}

function watch(client: Device): void {
  client.on('missing', ({ from, to }) => say('trouble', { what: `missing ${from} to ${to}` }));
  client.on('divergence', () => say('trouble', { what: 'divergence' }));
  client.on('state', (state) => {
    if (state.kind === 'stopped')
      say('trouble', { what: `stopped: ${state.error.code} ${state.error.relayCode}` });
  });
  void (async () => {
    for await (const { seq, body } of client.collections.chat.follow())
      say('seen', { seq, label: body.label });
  })();
  void (async () => {
    for await (const { seq, handle, changed } of client.collections.requests.follow()) {
      imported.push({ seq, handle, label: changed.label ?? '' });
      say('seen', { seq, label: changed.label });
    }
  })();
}

/** What was told first is written first. */
function write(work: () => Promise<unknown>): void {
  writing = writing.then(work).then(
    () => {},
    (error: unknown) =>
      say('trouble', { what: `write: ${error instanceof ClientError ? error.code : String(error)}` }),
  );
}

/** The first line goes alone: were it refused for want of a key, one after it could be taken before it. */
async function chat(count: number): Promise<void> {
  const labels = Array.from({ length: count }, nextLabel);
  await whenReady(() => chatOne(labels[0] as string));
  await Promise.all(labels.slice(1).map(chatOne));
}

async function chatOne(label: string): Promise<void> {
  await device.collections.chat.append({ label, filling: 'x'.repeat(schedule.anyScale(1, 3000)) });
  say('durable', { label });
}

async function importRecords(count: number): Promise<void> {
  const bodies = Array.from({ length: count }, () => ({ label: nextLabel() }));
  let said = 0;
  await whenReady(() =>
    device.collections.requests.createMany(bodies, ({ done }) => {
      for (; said < done; said += 1) say('durable', { label: (bodies[said] as { label: string }).label });
    }),
  );
}

/**
 * As an app does: a device that has no key yet says so and has taken nothing, and can write once it is online.
 * The relay may be gone again by then, so this may take more than one attempt.
 */
async function whenReady<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'not-ready') throw error;
      await device.online();
    }
  }
}

function nextLabel(): string {
  written += 1;
  return `${life.handle}/${life.number}/${written - 1}`;
}

async function carryOut(command: Command): Promise<void> {
  switch (command.do) {
    case 'invite':
      return say('invited', { link: await inviteOne() });
    case 'chat':
      return write(() => chat(command.count));
    case 'import':
      return write(() => importRecords(command.count));
    case 'finish':
      await writing;
      await device.settled();
      await device.online();
      return say('finished', { seq: newestSeq() });
    case 'report':
      while (newestSeq() < command.upTo) await sleep(10);
      return say('report', { ...report() });
    case 'close':
      await device.close();
      say('closed');
      return process.exit(0);
  }
}

/** This device may learn only now that the relay was killed and has come back. */
async function inviteOne(): Promise<string> {
  for (;;) {
    await device.online();
    try {
      return await device.invite();
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'offline') throw error;
      await sleep(20);
    }
  }
}

function newestSeq(): number {
  return Math.max(0, ...items().map(({ seq }) => seq));
}

function items(): Item[] {
  const lines = device.collections.chat.read();
  return [...lines.map(({ seq, handle, body }) => ({ seq, handle, label: body.label })), ...imported];
}

function report(): Report {
  const { unreadable, divergence, waiting, state } = device;
  return {
    items: items(),
    records: device.collections.requests.list().map(({ id, body }) => `${id} ${body.label}`),
    unreadable: unreadable.map(({ seq, code }) => `${seq} ${code}`),
    diverged: divergence !== null,
    waiting,
    state: state.kind,
    members: device.members().map(({ handle, devices }) => `${handle} ${devices.length}`),
  };
}
