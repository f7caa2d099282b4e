/**
 * A member's device in a process of its own: FOLDER. By a message that is a link it joins; by a `ForgetTask` it reads
 * everything, and lets block after block go.
 */
import { stat } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { getHeapSnapshot } from 'node:v8';
import { connect, join } from '@keytide/client';
import { nodeRandom, replaceFile } from '@keytide/crypto-core/node';
import type { Samples } from '../contest.ts';
import { definition, leapingPorts, openStore, showing, withoutNetwork } from './definition.ts';
import { DAY_MS } from './organisation.ts';

/** So many blocks of a day, the first of them begun so long ago that it is over a day after all of `days` have passed. */
export interface ForgetTask {
  readonly days: number;
  readonly blocks: number;
  readonly perBlock: number;
}

const FLOOR = 'floor: a file as large as the vault';
const [home = ''] = process.argv.slice(2);
const { ports, leap } = leapingPorts();

async function enter(link: string): Promise<void> {
  const app = await join({ definition, ports, store: await openStore(home), link, handle: 'forgetter' });
  await app.close();
}

async function forget({ days, blocks, perBlock }: ForgetTask): Promise<Samples> {
  leap(blocks * DAY_MS);
  await readAll(blocks * perBlock);

  const store = await openStore(home);
  const app = await connect({ definition, ports: withoutNetwork(ports), store });
  await showing(app, blocks * perBlock);
  leap((days - blocks) * DAY_MS);
  const ours: number[] = [];
  const floor: number[] = [];
  // One is left, so that what looks for the others is seen to find something.
  for (let block = 1; block < blocks; block += 1) {
    leap(DAY_MS);
    const startMs = performance.now();
    app.resume();
    await showing(app, (blocks - block) * perBlock);
    ours.push(performance.now() - startMs);
    floor.push(await replaceMs());
  }
  for (let block = 1; block <= blocks; block += 1)
    if ((await isInMemory(block)) !== (block === blocks))
      throw new Error(`block ${block} is in memory, or not`);
  await app.close();
  const left = await openStore(home);
  const names = await left.keys.names('epoch/');
  await left.close();
  if (names.length !== 1) throw new Error(`the keys of ${names.length} blocks are left`);
  return { keytide: ours, [FLOOR]: floor };
}

/** Gets everything from the relay; nothing of this client is left in memory. */
async function readAll(messages: number): Promise<void> {
  const app = await connect({ definition, ports, store: await openStore(home) });
  await showing(app, messages);
  await app.close();
}

/** How long it takes to write a file as large as the vault anew, durably. */
async function replaceMs(): Promise<number> {
  const { size } = await stat(joinPath(home, 'vault'));
  const bytes = nodeRandom(size);
  const startMs = performance.now();
  await replaceFile(joinPath(home, 'bare'), bytes);
  return performance.now() - startMs;
}

/** Whether any text on the heap begins like those of a block. What looks for it is never such a text itself. */
async function isInMemory(block: number): Promise<boolean> {
  const mark = Buffer.concat(['block ', `${block}`, ' xx'].map((part) => Buffer.from(part)));
  let before = Buffer.alloc(0);
  let isFound = false;
  for await (const piece of getHeapSnapshot()) {
    const bytes = Buffer.concat([before, Buffer.from(piece as Uint8Array)]);
    isFound ||= bytes.includes(mark);
    before = bytes.subarray(-mark.length);
  }
  return isFound;
}

process.on('disconnect', () => process.exit());
process.on('message', (message: string | ForgetTask) => {
  const work = typeof message === 'string' ? enter(message) : forget(message);
  void work.then((samples) => process.send?.({ samples: samples ?? null }));
});
