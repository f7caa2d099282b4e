import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Shape } from './crowds/crowd.ts';
import type { KeytideTarget } from './crowds/keytide.ts';
import type { MqttTarget } from './crowds/mqtt.ts';
import type { NatsTarget } from './crowds/nats.ts';
import type { XmppTarget } from './crowds/xmpp.ts';

/** Where a crowd goes, and what it speaks there. */
export type Target =
  | ({ readonly kind: 'keytide' } & KeytideTarget)
  | ({ readonly kind: 'mqtt' } & MqttTarget)
  | ({ readonly kind: 'nats' } & NatsTarget)
  | ({ readonly kind: 'xmpp' } & XmppTarget);

/** The first thing that a load is told. */
export interface OpenTask {
  readonly kind: 'open';
  readonly target: Target;
  readonly shape: Shape;
}

/** As many as go through: of each of so many groups, `window` messages are on their way at any time. */
export interface FloodTask {
  readonly kind: 'flood';
  readonly count: number;
  readonly groupsUsed: number;
  readonly window: number;
}

/** So many a second, to one group. */
export interface PacedTask {
  readonly kind: 'paced';
  readonly count: number;
  readonly perSecond: number;
}

export type LoadTask = FloodTask | PacedTask;

/** What came of a task: until everybody had heard everything. Latencies are of paced tasks, from sent to heard. */
export interface Played {
  readonly ms: number;
  /** Of the load's own process. */
  readonly processorMs: number;
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** A crowd in a process of its own. */
export interface Load {
  run(task: LoadTask): Promise<Played>;
  close(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('load-main.ts', import.meta.url));
/** Until all connections have to be there: a service that only seems to run would keep us waiting. */
const OPEN_MS = 180_000;

/** Starts the process and opens its connections. @throws Error when they cannot be opened, or break */
export async function openLoad(target: Target, shape: Shape): Promise<Load> {
  const child = fork(MAIN, [], { execArgv: process.execArgv });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`a load of ${target.kind} ended with ${code as number}`);
  });
  ended.catch(() => undefined);
  async function ask(task: OpenTask | LoadTask): Promise<Played | null> {
    const answered = once(child, 'message') as Promise<[{ played: Played | null }]>;
    child.send(task);
    const [{ played }] = await Promise.race([answered, ended]);
    return played;
  }
  async function close(): Promise<void> {
    child.disconnect();
    await ended.catch(() => undefined);
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), OPEN_MS);
  try {
    await ask({ kind: 'open', target, shape }).finally(() => clearTimeout(timer));
  } catch (error) {
    if (child.connected) await close();
    throw error;
  }
  return { run: async (task) => (await ask(task)) as Played, close };
}
