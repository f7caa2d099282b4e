import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';
import type { DatabaseOptions } from '@keytide/server-relay';
import { startChild, type Child } from './child.ts';

/** A relay that is killed and started again on the same database and port. */
export interface RelayProcess {
  readonly url: string;
  readonly database: DatabaseOptions;
  /** How often it was killed. */
  readonly kills: number;
  /** Starts it; it may be killed before it listens. */
  start(): Child;
  /** Resolves when it listens. */
  listening(): Promise<void>;
  kill(): Promise<void>;
}

/** A relay that has not been started yet. */
export async function createRelayProcess(database: DatabaseOptions): Promise<RelayProcess> {
  const port = await freePort();
  let child: Child | null = null;
  let kills = 0;
  return {
    url: `http://127.0.0.1:${port}`,
    database,
    get kills() {
      return kills;
    },
    start() {
      child = startChild({ script: 'relay-main.ts', argument: { database, port } });
      return child;
    },
    async listening() {
      await child?.said('listening');
    },
    async kill() {
      kills += 1;
      await child?.kill();
    },
  };
}

/**
 * A port that the system does not hand out for outgoing connections: while the relay is down, a client that
 * tries again could be given the relay's own port, connect to itself, and keep the relay from coming back.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
