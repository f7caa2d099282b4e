/**
 * A device in a process of its own, so that its memory can be told: FOLDER. By a message that is a link it joins; by
 * a `Task` it opens what is stored and tells what it has seen.
 */
import { connect, join } from '@keytide/client';
import { processorClock } from '../clock.ts';
import { heldBytes, peakOf } from '../directory/memory.ts';
import { definition, leapingPorts, openStore, withoutNetwork, type App } from './definition.ts';
import { bareOpenMs } from './open-floor.ts';

/** The device is opened by a clock that is so far ahead; `isAlone` without network. It is to show so many messages. */
export interface Task {
  readonly leapMs: number;
  readonly isAlone: boolean;
  readonly messages: number;
}

/**
 * How long it took until the first message could be read, and all of them, and that in processor time; by how much
 * the process grew at most, and what it holds in the end; and the processor time of bare decryption and decoding.
 */
export interface Seen {
  readonly firstMs: number;
  readonly allMs: number;
  readonly processorMs: number;
  readonly peakBytes: number;
  readonly heldBytes: number;
  readonly floorMs: number;
}

const [home = ''] = process.argv.slice(2);
const { ports, leap } = leapingPorts();

async function enter(link: string): Promise<void> {
  const app = await join({ definition, ports, store: await openStore(home), link, handle: 'reader' });
  await app.close();
}

async function see({ leapMs, isAlone, messages }: Task): Promise<Seen> {
  leap(leapMs);
  const store = await openStore(home);
  const before = await heldBytes();
  const open = async (): Promise<{ app: App; firstMs: number; allMs: number; processorMs: number }> => {
    const startMs = performance.now();
    const startProcessorMs = processorClock.now();
    const app = await connect({ definition, ports: isAlone ? withoutNetwork(ports) : ports, store });
    const { chat } = app.collections;
    let firstMs = -1;
    let shown = 0;
    for await (const _ of chat.follow()) {
      if (firstMs < 0) firstMs = performance.now() - startMs;
      shown += 1;
      if (shown >= messages) break;
    }
    const allMs = performance.now() - startMs;
    return { app, firstMs, allMs, processorMs: processorClock.now() - startProcessorMs };
  };
  const { result, bytes } = await peakOf(open);
  const { app, ...times } = result;
  if (app.unreadable.length > 0 || app.missing.length > 0) throw new Error('not everything can be read');
  const held = (await heldBytes()) - before;
  await app.close();
  return { ...times, peakBytes: bytes, heldBytes: held, floorMs: await bareOpenMs(messages) };
}

process.on('disconnect', () => process.exit());
process.on('message', (message: string | Task) => {
  const work = typeof message === 'string' ? enter(message) : see(message);
  void work.then((seen) => process.send?.({ seen: seen ?? null }));
});
