import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RelayOptions } from '@keytide/server-relay';
import { seededWorld, type SeededWorld, type TestPostgres } from '@keytide/testkit';
import { announceOf } from '../../../packages/server-relay/test/group.ts';
import { greet } from '../../../packages/server-relay/test/line.ts';
import {
  settle,
  tokenOf,
  type ReachableRelay,
} from '../../../packages/server-relay/test/relay-under-test.ts';
import type { Shape } from './crowds/crowd.ts';
import type { Service } from './service.ts';

/** A relay in a process of its own. */
export interface RelayProcess extends ReachableRelay {
  readonly pid: number;
  /** Collects its garbage, if it was started to. */
  collect(): Promise<void>;
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('relay-main.ts', import.meta.url));

/** Starts one with its log written to nowhere. @throws Error when it does not start */
export async function startRelayProcess(options: RelayOptions): Promise<RelayProcess> {
  const child = fork(MAIN, [JSON.stringify(options)], {
    execArgv: [...process.execArgv, '--expose-gc'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`a relay ended with ${code as number}`);
  });
  ended.catch(() => undefined);
  const listening = once(child, 'message') as Promise<[{ url: string; name: string }]>;
  const [{ url, name }] = await Promise.race([listening, ended]);
  return {
    url,
    name,
    pid: child.pid as number,
    async collect() {
      const collected = once(child, 'message');
      child.send('collect');
      await Promise.race([collected, ended]);
    },
    async stop() {
      if (!child.connected) return;
      child.disconnect();
      await ended.catch(() => undefined);
    },
  };
}

/** The relay as it is for production, on a PostgreSQL. */
export async function startOnPostgres(postgres: TestPostgres): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-relay-key-'));
  const url = await postgres.createDatabase('keytide');
  const database = { kind: 'postgres', url, keyFile: join(folder, 'relay-key') } as const;
  return serve('keytide', { database }, folder);
}

/** The relay as it is by default, on the embedded database. */
export async function startOnPglite(): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-relay-'));
  return serve('keytide on PGlite', { database: { kind: 'pglite', folder } }, folder);
}

async function serve(name: string, options: RelayOptions, folder: string): Promise<Service> {
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const relay = await startRelayProcess(options).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  return {
    name,
    pids: [relay.pid],
    async target(shape) {
      return { kind: 'keytide', urls: [relay.url], groups: await makeGroups(relay, shape) };
    },
    async stop() {
      await relay.stop();
      await remove();
    },
  };
}

/** A session for each device of so many organisations: who publishes, then who listens. */
export async function makeGroups(
  relay: ReachableRelay,
  { groups, listeners }: Shape,
): Promise<{ group: string; tokens: string[] }[]> {
  const made: { group: string; tokens: string[] }[] = [];
  for (let place = 0; place < groups; place += 1) {
    const seed = `group ${place} of ${groups}`;
    // Who publishes is a member as well.
    const world = seededWorld({ seed, members: listeners + 1, startMs: Date.now() - 60_000 });
    made.push({ group: world.state.everyone, tokens: await logInAll(relay, world) });
  }
  return made;
}

/** Founds the organisation, starts its first epoch, and logs in one device of each member. */
export async function logInAll(relay: ReachableRelay, world: SeededWorld): Promise<string[]> {
  const founder = world.members[0].devices[0];
  const line = await greet(relay, await settle(relay, world));
  line.send(await announceOf(world, founder, 1));
  await line.next('appended');
  line.socket.close();
  await line.ended;
  const tokens: string[] = [];
  for (const { devices } of world.members) tokens.push(await tokenOf(relay, world.org, devices[0]));
  return tokens;
}
