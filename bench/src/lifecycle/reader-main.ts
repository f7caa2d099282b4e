/**
 * A device in a process of its own, so that its memory can be told: FOLDER. By a message that is a link it joins; by
 * a `Task` it opens what is stored and tells what it has seen.
 */
import { connect, join } from '@keytide/client';
import { openFileDeviceStore } from '@keytide/client/node';
import { peakOf } from '../directory/memory.ts';
import { definition, leapingPorts, type App } from './definition.ts';

/** The device is opened by a clock that is so far ahead; `isAlone` without network. It is to show so many messages. */
export interface Task {
  readonly leapMs: number;
  readonly isAlone: boolean;
  readonly messages: number;
}

/** How long it took until the first message could be read, and all of them; and by how much the process grew. */
export interface Seen {
  readonly firstMs: number;
  readonly allMs: number;
  readonly bytes: number;
}

const [home = ''] = process.argv.slice(2);
const { ports, leap } = leapingPorts();
const kdf = { memoryKiB: 64, passes: 1, parallelism: 1 };
const openStore = () => openFileDeviceStore({ home, passphrase: 'of a device that is measured', kdf });

async function enter(link: string): Promise<void> {
  const app = await join({ definition, ports, store: await openStore(), link, handle: 'reader' });
  await app.close();
}

async function see({ leapMs, isAlone, messages }: Task): Promise<Seen> {
  leap(leapMs);
  const store = await openStore();
  const offline = { fetch: () => Promise.reject(new TypeError('no network')), WebSocket: NoSocket };
  const open = async (): Promise<{ app: App; firstMs: number; allMs: number }> => {
    const startMs = performance.now();
    const app = await connect({ definition, ports: { ...ports, ...(isAlone ? offline : {}) }, store });
    const { chat } = app.collections;
    let firstMs = -1;
    let shown = 0;
    for await (const _ of chat.follow()) {
      if (firstMs < 0) firstMs = performance.now() - startMs;
      shown += 1;
      if (shown >= messages) break;
    }
    return { app, firstMs, allMs: performance.now() - startMs };
  };
  const { result, bytes } = await peakOf(open);
  const { app, firstMs, allMs } = result;
  if (app.unreadable.length > 0 || app.missing.length > 0) throw new Error('not everything can be read');
  await app.close();
  return { firstMs, allMs, bytes };
}

class NoSocket extends WebSocket {
  constructor() {
    super('ws://127.0.0.1:9');
  }
}

process.on('disconnect', () => process.exit());
process.on('message', (message: string | Task) => {
  const work = typeof message === 'string' ? enter(message) : see(message);
  void work.then((seen) => process.send?.({ seen: seen ?? null }));
});
