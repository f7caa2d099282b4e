import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** Stands between two processes and spoils what they send each other. */
export interface TcpProxy {
  readonly port: number;
  /** Cuts what is open, and refuses what comes. */
  cut(): void;
  /** Goes on taking bytes, and lets none through: neither side sees that anything is wrong. */
  swallow(): void;
  /** Lets everything through so much later, in both directions. */
  delay(ms: number): void;
  /** Changes a bit of every piece that it lets through. */
  corrupt(): void;
  /** Tells both sides of what is open that the other one has nothing more to say, which is not so. */
  halfClose(): void;
  /** Lets everything through again; where anything was lost or changed, it cuts what is open. */
  mend(): void;
  close(): Promise<void>;
}

type State = 'mended' | 'cut' | 'swallowing' | 'corrupting';

/** Passes connections on to the port that `target` names for each. */
export async function startTcpProxy(target: () => number): Promise<TcpProxy> {
  const open = new Set<Socket>();
  let state: State = 'mended';
  let delayMs = 0;

  /** One direction: what comes goes out in order, when its time has come. `null` is the end. */
  function pass(from: Socket, to: Socket): void {
    const waiting: { readonly bytes: Buffer | null; readonly dueMs: number }[] = [];
    let timer: NodeJS.Timeout | null = null;
    function flush(): void {
      timer = null;
      for (let [next] = waiting; next !== undefined; [next] = waiting) {
        const leftMs = next.dueMs - performance.now();
        if (leftMs > 0) {
          timer = setTimeout(flush, leftMs);
          return;
        }
        waiting.shift();
        if (next.bytes === null) to.end();
        else if (!to.write(next.bytes)) from.pause();
      }
    }
    function take(bytes: Buffer | null): void {
      if (state === 'swallowing') return;
      const spoilt = state === 'corrupting' && bytes !== null ? flipped(bytes) : bytes;
      waiting.push({ bytes: spoilt, dueMs: performance.now() + delayMs });
      if (timer === null) flush();
    }
    open.add(from);
    from.setNoDelay(true);
    from.on('data', take);
    from.on('end', () => take(null));
    to.on('drain', () => from.resume());
    from.on('error', () => undefined);
    from.on('close', () => {
      open.delete(from);
      if (timer !== null) clearTimeout(timer);
      if (state !== 'swallowing') to.destroy();
    });
  }

  const server = createServer({ allowHalfOpen: true }, (near) => {
    if (state === 'cut') return void near.destroy();
    const far = connect({ port: target(), host: '127.0.0.1', allowHalfOpen: true });
    pass(near, far);
    pass(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cutAll = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      state = 'cut';
      cutAll();
    },
    swallow() {
      state = 'swallowing';
    },
    delay(ms) {
      delayMs = ms;
    },
    corrupt() {
      state = 'corrupting';
    },
    halfClose() {
      for (const socket of open) socket.end();
    },
    mend() {
      const isWhole = state === 'mended' || state === 'cut';
      state = 'mended';
      delayMs = 0;
      if (!isWhole) cutAll();
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      state = 'cut';
      cutAll();
      await closed;
    },
  };
}

/** With one bit of its middle changed. */
function flipped(bytes: Buffer): Buffer {
  const spoilt = Buffer.from(bytes);
  const middle = spoilt.length >> 1;
  spoilt[middle] = (spoilt[middle] as number) ^ 4;
  return spoilt;
}
