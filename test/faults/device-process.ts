import { join } from 'node:path';
import { startChild, type Child, type Line } from './child.ts';
import { crashingAt } from './crash-point.ts';
import type { Command, Life, Report } from './life.ts';
import { noteSeen, type History } from './history.ts';
import { SHORT_BLOCK_SECONDS } from './organisation.ts';
import type { Schedule } from './schedule.ts';

/** A device that is killed and started again on the same home. */
export interface DeviceProcess {
  readonly handle: string;
  readonly home: string;
  /** How often it was killed. */
  readonly kills: number;
  /** Resolves at the next `durable` that it says. */
  nextDurable(): Promise<void>;
  /**
   * Begins its next life. With `crashAt` it kills itself at that step (crash-point.ts); with `enterAgain` it
   * joins or founds once more, although it may have done so.
   */
  start(how?: { crashAt?: number; enterAgain?: boolean }): Child;
  /** Resolves when its store is open; the organisation's id. */
  opened(): Promise<string>;
  kill(): Promise<void>;
  /** Hands it something to write; nothing waits for it. */
  write(what: 'chat' | 'import', count: number): void;
  invite(): Promise<string>;
  /** Ends its writing and waits until everything it wrote is in the log; the newest seq it shows. */
  finish(): Promise<number>;
  report(upTo: number): Promise<Report>;
  close(): Promise<void>;
}

/** Who a device is and how it comes in; `at` is the relay's address or an invite link. */
export interface DeviceOptions extends Pick<Life, 'handle' | 'enter' | 'at'> {
  readonly folder: string;
  readonly schedule: Schedule;
  readonly history: History;
  readonly blockSeconds?: number;
}

/** A device that has not been started yet. What it says goes to `history`. */
export function createDeviceProcess(options: DeviceOptions): DeviceProcess {
  const { folder, schedule, history, handle, enter, at, blockSeconds = SHORT_BLOCK_SECONDS } = options;
  const home = join(folder, handle);
  let child: Child | null = null;
  let lives = 0;
  let entered = false;
  let kills = 0;
  let onDurable: () => void = () => {};

  function hear({ say, label, seq, what }: Line): void {
    if (say === 'open') entered = true;
    if (say === 'seen') noteSeen(history, seq as number, label as string);
    if (say === 'trouble') history.troubles.push(`${handle}: ${String(what)}`);
    if (say !== 'durable') return;
    history.durable.add(label as string);
    onDurable();
  }

  function living(): Child {
    if (child === null) throw new Error(`${handle} was not started`);
    return child;
  }

  async function ask(command: Command, answer: string): Promise<Line> {
    living().tell(command);
    return await living().said(answer);
  }

  return {
    handle,
    home,
    get kills() {
      return kills;
    },
    nextDurable: () =>
      new Promise((resolve) => {
        onDurable = resolve;
      }),
    start({ crashAt, enterAgain = false } = {}) {
      const seed = schedule.seed();
      const how = entered && !enterAgain ? 'connect' : enter;
      const life: Life = { home, handle, number: lives, seed, enter: how, at, blockSeconds };
      lives += 1;
      child = startChild({
        script: 'device-main.ts',
        argument: life,
        onLine: hear,
        ...(crashAt === undefined ? {} : crashingAt(crashAt)),
      });
      return child;
    },
    async opened() {
      return String((await living().said('open'))['org']);
    },
    async kill() {
      kills += 1;
      await living().kill();
    },
    write: (what, count) => living().tell({ do: what, count }),
    invite: async () => String((await ask({ do: 'invite' }, 'invited'))['link']),
    finish: async () => Number((await ask({ do: 'finish' }, 'finished'))['seq']),
    report: async (upTo) => (await ask({ do: 'report', upTo }, 'report')) as unknown as Report,
    async close() {
      await ask({ do: 'close' }, 'closed');
      await living().exited;
    },
  };
}
