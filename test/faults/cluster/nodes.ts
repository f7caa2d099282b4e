import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeRandom } from '@keytide/crypto-core/node';
import type { DatabaseOptions, RelayOptions } from '@keytide/server-relay';
import { startPostgres, type TestPostgres } from '@keytide/testkit';
import { startChild, type Child } from '../child.ts';
import { startRedis, type TestRedis } from '../redis.ts';
import { freePort } from '../relay-process.ts';
import { startTcpProxy, type TcpProxy } from '../tcp-proxy.ts';

/** One relay of several, a process of its own. */
export interface Node {
  /** Reaches this node and no other, under the name that all have. */
  readonly door: { readonly url: string; readonly name: string };
  /** Between it and Redis. */
  readonly toRedis: TcpProxy;
  readonly child: Child;
  start(): Promise<void>;
}

/** Three relays on one PostgreSQL and one Redis, behind one address. */
export interface Cluster {
  readonly nodes: readonly [Node, Node, Node];
  readonly postgres: TestPostgres;
  readonly redis: TestRedis;
  /** What they share. */
  readonly database: DatabaseOptions;
  remove(): Promise<void>;
}

/** As in production, but heads are compared so rarely that nothing here can rest on it while the bus is heard. */
const LIMITS = { headsMs: 600_000 };

/** Starts all of it. @throws Error without PostgreSQL or Redis */
export async function startCluster(): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-cluster-'));
  const postgres = await startPostgres();
  const redis = await startRedis();
  const url = await postgres.createDatabase('cluster');
  const name = 'http://relay.example';
  const proxies: TcpProxy[] = [];

  async function createNode(): Promise<Node> {
    const port = await freePort();
    const toRedis = await startTcpProxy(() => redis.port);
    proxies.push(toRedis);
    const options: RelayOptions = {
      database: {
        kind: 'postgres',
        url,
        keyFile: join(folder, 'relay-key'),
        blobFolder: join(folder, 'blobs'),
        cluster: { redisUrl: `redis://127.0.0.1:${toRedis.port}` },
      },
      port,
      publicUrl: name,
      limits: LIMITS,
    };
    let child: Child | null = null;
    return {
      door: { url: `http://127.0.0.1:${port}`, name },
      toRedis,
      get child() {
        if (child === null) throw new Error('not started');
        return child;
      },
      async start() {
        child = startChild({ script: 'relay-main.ts', argument: options });
        await child.said('listening');
      },
    };
  }

  const nodes = [await createNode(), await createNode(), await createNode()] as const;
  // As an operator hands them out: a node that starts with none would make its own.
  for (const file of ['relay-key', 'relay-key.data'])
    await writeFile(join(folder, file), nodeRandom(32), { mode: 0o600 });
  await Promise.all(nodes.map((node) => node.start()));
  return {
    nodes,
    postgres,
    redis,
    database: { kind: 'postgres', url, keyFile: join(folder, 'relay-key'), cluster: {} },
    async remove() {
      for (const { child } of nodes) {
        child.goOn();
        await child.kill();
      }
      for (const proxy of proxies) await proxy.close();
      await redis.stop();
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
