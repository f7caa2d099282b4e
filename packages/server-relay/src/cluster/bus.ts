import { equalBytes, type Random } from '@keytide/crypto-core';
import { decodeBatch, encodeBatch, type BusMessage } from './bus-message.ts';

/** Wake-ups between the relays of a database. Whatever it carries may be lost: PostgreSQL has the truth. */
export interface Bus {
  /** Tells the other nodes, soon. */
  publish(message: BusMessage): void;
  /** Whether a heartbeat has lately come back to this node. */
  isAlive(): boolean;
  close(): Promise<void>;
}

/** Carries bytes from each node to all of them, the sender too. It connects, and connects again, by itself. */
export interface Carrier {
  /** Rejects when they certainly did not leave. */
  send(bytes: Uint8Array): Promise<void>;
  /** Gives up its connection for another one: nothing came for a while, and a dead one may not show. */
  again(): void;
  close(): Promise<void>;
}

/** Opens a carrier, which hears of bytes that come, and of each time from which on it misses none. */
export type OpenCarrier = (heard: (bytes: Uint8Array) => void, subscribed: () => void) => Carrier;

/** What `openBus` works with. */
export interface BusOptions {
  readonly open: OpenCarrier;
  readonly random: Random;
  readonly beatMs: number;
  readonly received: (message: BusMessage) => void;
  /** From now on messages come; what was said before may have been missed. */
  readonly subscribed: () => void;
  /** The bus has fallen silent, or is back. */
  readonly turned: (isAlive: boolean) => void;
}

/** Heartbeats that may be missed before the bus counts as silent. */
const MISSED = 3;
/** Heartbeats after which a connection is given up. */
const AGAIN = 5;
/** A bus of PostgreSQL takes 8,000 characters at once. */
const BATCH_BYTES = 5_600;

/** A bus that never says anything, for a relay that is alone. */
export const NO_BUS: Bus = {
  publish: () => undefined,
  isAlive: () => true,
  close: () => Promise.resolve(),
};

/** Starts a bus; it is silent until its first heartbeat has come back. */
export function openBus(options: BusOptions): Bus {
  const { beatMs } = options;
  const self = options.random(16);
  let waiting: BusMessage[] = [];
  let heardMs = -Infinity;
  let wasAlive = false;
  let connectedMs = performance.now();
  const carrier = options.open(receive, options.subscribed);
  const ticker = setInterval(beat, beatMs);
  beat();

  function isAlive(): boolean {
    return performance.now() - heardMs < MISSED * beatMs;
  }

  function turn(): void {
    const alive = isAlive();
    if (alive === wasAlive) return;
    wasAlive = alive;
    options.turned(alive);
  }

  function beat(): void {
    turn();
    const sinceMs = performance.now() - Math.max(heardMs, connectedMs);
    if (sinceMs > AGAIN * beatMs) {
      connectedMs = performance.now();
      carrier.again();
    }
    send([]);
  }

  function send(messages: readonly BusMessage[]): void {
    // What does not leave was a wake-up that is lost; silence is noticed by the heartbeat.
    carrier.send(encodeBatch(self, messages)).catch(() => undefined);
  }

  function receive(bytes: Uint8Array): void {
    const batch = decodeBatch(bytes);
    if (batch === null) return;
    if (equalBytes(batch.from, self)) {
      heardMs = performance.now();
      return turn();
    }
    for (const message of batch.messages) options.received(message);
  }

  function flush(): void {
    let batch: BusMessage[] = [];
    let sizeBytes = 0;
    for (const message of waiting) {
      const bytes = encodeBatch(self, [message]).length;
      if (sizeBytes + bytes > BATCH_BYTES && batch.length > 0) {
        send(batch);
        [batch, sizeBytes] = [[], 0];
      }
      batch.push(message);
      sizeBytes += bytes;
    }
    waiting = [];
    send(batch);
  }

  return {
    publish(message) {
      // All that one turn of the event loop has to say goes out together.
      if (waiting.length === 0) setImmediate(flush);
      waiting.push(message);
    },
    isAlive,
    async close() {
      clearInterval(ticker);
      if (waiting.length > 0) flush();
      await carrier.close();
    },
  };
}
