import type { Crowd, CrowdEvents, Shape } from './crowds/crowd.ts';
import { signal } from './crowds/line.ts';
import type { FloodTask, LoadTask, PacedTask, Played } from './load.ts';

/** Publishes through a crowd, and checks that each listener hears each message once and in order. */
export interface Play {
  readonly events: CrowdEvents;
  /** The crowd, once it is open. */
  on(crowd: Crowd): void;
  run(task: LoadTask): Promise<Played>;
}

/** Between two looks at what is due of a paced task. */
const TICK_MS = 1;

/** Nothing was published yet. */
export function createPlay({ groups, listeners }: Shape, failed: (error: Error) => void): Play {
  let crowd: Crowd | null = null;
  /** The number of the first message of this task; numbers go on from task to task. */
  let base = 0;
  let sentMs = new Float64Array(0);
  /** Of each message, who has not heard it, and one more for the service that has not accepted it. */
  let missing = new Uint32Array(0);
  let groupOf = new Uint16Array(0);
  /** The last message that each listener has heard. */
  const last = new Int32Array(groups * listeners).fill(-1);
  let latencies: number[] | null = null;
  let whole: (index: number) => void = () => undefined;

  function got(index: number): void {
    const left = (missing[index] as number) - 1;
    missing[index] = left;
    if (left === 0) whole(index);
  }

  const events: CrowdEvents = {
    heard(group, listener, number) {
      // What an earlier crowd wrote is read again while this one opens.
      if (missing.length === 0) return;
      const place = group * listeners + listener;
      if (number <= (last[place] as number))
        return failed(new Error('a message came twice, or out of order'));
      last[place] = number;
      const index = number - base;
      if (groupOf[index] !== group) return failed(new Error('a message of another group'));
      latencies?.push(performance.now() - (sentMs[index] as number));
      got(index);
    },
    accepted: (number) => got(number - base),
    failed,
  };

  function begin(count: number): void {
    base += missing.length;
    sentMs = new Float64Array(count);
    missing = new Uint32Array(count).fill(listeners + 1);
    groupOf = new Uint16Array(count);
  }

  function publish(group: number, index: number): void {
    groupOf[index] = group;
    sentMs[index] = performance.now();
    (crowd as Crowd).publish(group, base + index);
  }

  /** Each group always has so many messages that not everybody has heard. */
  async function flood({ count, groupsUsed, window }: FloodTask): Promise<void> {
    latencies = null;
    begin(count);
    let next = 0;
    let open = count;
    const done = signal();
    whole = (index) => {
      open -= 1;
      if (next < count) publish(groupOf[index] as number, next++);
      else if (open === 0) done.give();
    };
    for (let turn = 0; turn < window; turn += 1)
      for (let group = 0; group < groupsUsed && next < count; group += 1) publish(group, next++);
    await done.given;
  }

  /** So many messages a second to the first group, whatever comes back. */
  async function paced({ count, perSecond }: PacedTask): Promise<void> {
    latencies = [];
    begin(count);
    let open = count;
    const done = signal();
    whole = () => {
      open -= 1;
      if (open === 0) done.give();
    };
    const startMs = performance.now();
    let next = 0;
    const timer = setInterval(() => {
      const due = Math.min(count, ((performance.now() - startMs) / 1000) * perSecond);
      while (next < due) publish(0, next++);
      if (next === count) clearInterval(timer);
    }, TICK_MS);
    await done.given;
  }

  return {
    events,
    on(opened) {
      crowd = opened;
    },
    async run(task) {
      const cpu = process.cpuUsage();
      const startMs = performance.now();
      await (task.kind === 'flood' ? flood(task) : paced(task));
      const ms = performance.now() - startMs;
      const { user, system } = process.cpuUsage(cpu);
      const sorted = Float64Array.from(latencies ?? []).toSorted();
      const at = (share: number): number => sorted[Math.floor(share * sorted.length)] ?? Number.NaN;
      return { ms, processorMs: (user + system) / 1000, medianMs: at(0.5), p99Ms: at(0.99) };
    },
  };
}
