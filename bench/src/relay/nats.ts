import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../test/faults/relay-process.ts';
import { startServer } from './child.ts';
import type { Service } from './service.ts';

/** NATS with JetStream in files, otherwise as it comes: it answers before the disk has what it answers for. */
export async function startNats(): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-nats-'));
  const port = await freePort();
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const args = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder];
  const server = await startServer('nats-server', args, port).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  return {
    name: 'NATS JetStream',
    pids: [server.pid],
    target: () => Promise.resolve({ kind: 'nats', port }),
    async stop() {
      await server.stop();
      await remove();
    },
  };
}
