import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import type { TestPostgres } from '@keytide/testkit';
import type { Service } from './service.ts';

const MAIN = fileURLToPath(new URL('insert-main.ts', import.meta.url));

/** One INSERT a message behind our own frames. @throws Error when it does not start */
export async function startInsert(postgres: TestPostgres): Promise<Service> {
  const child = fork(MAIN, [await postgres.createDatabase('inserts')], { execArgv: process.execArgv });
  const ended = once(child, 'exit');
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  return {
    name: 'one INSERT a message',
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
