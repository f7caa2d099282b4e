import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../test/faults/relay-process.ts';
import { startServer } from './child.ts';
import type { Service } from './service.ts';

/** Mosquitto with persistence on. Otherwise as it comes, but for its limit of 20 messages on their way to one listener. */
export async function startMosquitto(): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-mosquitto-'));
  const port = await freePort();
  const config = join(folder, 'mosquitto.conf');
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${folder}/`,
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'set_tcp_nodelay true',
    'log_dest none',
    ...(process.getuid?.() === 0 ? ['user root'] : []),
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const server = await startServer('mosquitto', ['-c', config], port).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  return {
    name: 'Mosquitto',
    pids: [server.pid],
    target: () => Promise.resolve({ kind: 'mqtt', port }),
    async stop() {
      await server.stop();
      await remove();
    },
  };
}
