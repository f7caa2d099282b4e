import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** Stands between two processes and spoils what they send each other. */
export interface TcpProxy {
  readonly port: number;
  /** Cuts what is open, and refuses what comes. */
  cut(): void;
  /** Goes on taking bytes, and lets none through: neither side sees that anything is wrong. */
  swallow(): void;
  /** Lets everything through again; what was swallowed is lost, so it cuts what is open. */
  mend(): void;
  close(): Promise<void>;
}

/** Passes connections on to the port that `target` names for each. */
export async function startTcpProxy(target: () => number): Promise<TcpProxy> {
  const open = new Set<Socket>();
  let state: 'mended' | 'cut' | 'swallowing' = 'mended';
  const server = createServer((near) => {
    if (state === 'cut') return void near.destroy();
    const far = connect(target(), '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.setNoDelay(true);
      from.on('data', (bytes) => {
        if (state === 'swallowing') return;
        if (!to.write(bytes)) from.pause();
      });
      to.on('drain', () => from.resume());
      from.on('error', () => undefined);
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
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
    mend() {
      if (state === 'swallowing') cutAll();
      state = 'mended';
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cutAll();
      await closed;
    },
  };
}
