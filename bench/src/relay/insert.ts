import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import type { TestPostgres } from '@keytide/testkit';
import type { Service } from './service.ts';

const MAIN = fileURLToPath(new URL('insert-main.ts', import.meta.url));

/** One INSERT a message behind our own frames, in order. */
export const startInsert = (postgres: TestPostgres): Promise<Service> =>
  startOn(postgres, 'one INSERT a message', 1);

/** The same on as many connections as a pool has by default, with no order between them. */
export const startPooledInsert = (postgres: TestPostgres): Promise<Service> =>
  startOn(postgres, 'one INSERT a message on 10 connections, in no order', 10);

/** @throws Error when it does not start */
async function startOn(postgres: TestPostgres, name: string, connections: number): Promise<Service> {
  const database = await postgres.createDatabase(`inserts_${connections}`);
  const child = fork(MAIN, [database, String(connections)], { execArgv: process.execArgv });
  const ended = once(child, 'exit');
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  return {
    name,
    pids: [child.pid as number],
    target({ groups }) {
      const group = (): string => Buffer.from(random(32)).toString('hex');
      const all = Array.from({ length: groups }, () => ({ group: group(), tokens: ['anyone'] }));
      return Promise.resolve({ kind: 'keytide', urls: [url], groups: all });
    },
    async stop() {
      child.disconnect();
      await ended;
    },
  };
}
