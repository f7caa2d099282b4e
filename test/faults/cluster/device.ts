import type { DeviceId, GroupId, OrgId } from '@keytide/crypto-core';
import type { SeededDevice } from '@keytide/testkit';
import { setTimeout as sleep } from 'node:timers/promises';
import { greet, type Line } from '../../../packages/server-relay/test/line.ts';
import { tokenOf, type ReachableRelay } from '../../../packages/server-relay/test/relay-under-test.ts';
import type { History } from './history.ts';

/** A device at the wire: it keeps its cursor, comes back by itself to any node, and repeats what was not acknowledged. */
export interface WireDevice {
  readonly id: DeviceId;
  /** Resolves when it has once caught up. */
  follow(): Promise<void>;
  /** Resolves when the item is acknowledged, over as many connections as that takes. */
  append(envelope: Uint8Array): Promise<number>;
  /** The newest seq that it was shown. */
  cursor(): number;
  /** Takes its next connection from there; the one that is open goes on. */
  useDoor(door: ReachableRelay | null): void;
  /** The relay has said that it is not let in. */
  isBarred(): boolean;
  stop(): Promise<void>;
}

/** What a device works with. `anyDoor` picks a node for each connection. */
export interface WireDeviceOptions {
  readonly org: OrgId;
  readonly group: GroupId;
  readonly device: SeededDevice;
  readonly random: (count: number) => Uint8Array;
  readonly anyDoor: () => ReachableRelay;
  readonly history: History;
}

/** Not connected until it follows or appends. */
export function createWireDevice(options: WireDeviceOptions): WireDevice {
  const { org, group, device, history } = options;
  let door: ReachableRelay | null = null;
  let line: Promise<Line> | null = null;
  let cursor = 0;
  let requests = 0;
  let following = false;
  let stopped = false;
  let barred = false;

  async function connect(): Promise<Line> {
    const through = door ?? options.anyDoor();
    const token = await within(tokenOf(through, org, device), 10_000);
    const opened = await within(greet(through, token), 10_000);
    if (following) opened.send({ type: 'subscribe', group, afterSeq: cursor });
    opened.socket.on('message', () => take(opened));
    take(opened);
    void opened.ended.then(() => {
      line = null;
      if (following && !stopped) void current().catch(() => undefined);
    });
    return opened;
  }

  const taken = new WeakMap<Line, number>();
  function take(from: Line): void {
    for (const frame of from.frames.slice(taken.get(from) ?? 0)) {
      if (frame.type === 'entries' && frame.group === group) {
        frame.entries.forEach(({ bytes }, index) => {
          const seq = frame.firstSeq + index;
          history.saw(device.id, seq, bytes);
          cursor = seq;
        });
      }
      if (frame.type === 'refused' && (frame.code === 'not-a-member' || frame.code === 'session-ended'))
        barred = true;
    }
    taken.set(from, from.frames.length);
  }

  /** The open connection, or another one, after as many attempts as it takes. */
  async function current(): Promise<Line> {
    while (!stopped) {
      line ??= connect();
      const attempt = line;
      try {
        return await attempt;
      } catch (error) {
        if (String((error as Error).message).includes('login: 401')) {
          barred = true;
          throw error;
        }
        if (line === attempt) line = null;
        await sleep(50);
      }
    }
    throw new Error('stopped');
  }

  return {
    id: device.id,
    async follow() {
      const opened = await current();
      following = true;
      opened.send({ type: 'subscribe', group, afterSeq: cursor });
      await opened.next('caught-up');
    },
    async append(envelope) {
      const messageId = options.random(16);
      history.invoked(envelope);
      for (;;) {
        const on = await current();
        requests += 1;
        const requestId = requests;
        on.send({ type: 'append', requestId, group, items: [{ messageId, envelope }] });
        const answer = await answerTo(on, requestId);
        if (answer === null) {
          on.socket.terminate();
          await on.ended;
          continue;
        }
        history.acknowledged(envelope, answer);
        return answer;
      }
    },
    cursor: () => cursor,
    useDoor(next) {
      door = next;
    },
    isBarred: () => barred,
    async stop() {
      stopped = true;
      const last = await line?.catch(() => null);
      last?.socket.terminate();
    },
  };
}

/** The seq that an append was given; `null` when the connection is over, or says nothing for long. */
async function answerTo(line: Line, requestId: number): Promise<number | null> {
  const untilMs = Date.now() + 12_000;
  let isOver = false;
  void line.ended.then(() => {
    isOver = true;
  });
  while (Date.now() < untilMs) {
    for (const frame of line.frames) {
      if (frame.type === 'appended' && frame.requestId === requestId) return frame.seqs[0] as number;
      if (frame.type === 'refused' && frame.requestId === requestId) throw new Error(frame.code);
    }
    if (isOver) return null;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        line.socket.off('message', wake);
        resolve();
      };
      const timer = setTimeout(wake, 250);
      line.socket.once('message', wake);
    });
  }
  return null;
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const late = new AbortController();
  try {
    return await Promise.race([
      work,
      sleep(ms, null, { signal: late.signal }).then(() => {
        throw new Error('too late');
      }),
    ]);
  } finally {
    late.abort();
    work.catch(() => undefined);
  }
}
