import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './relay-process.ts';

/** A Redis of our own, which keeps nothing. */
export interface TestRedis {
  readonly port: number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts Debian's `redis-server` on a free port of 127.0.0.1. @throws Error when there is none: these tests need a real one */
export async function startRedis(): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-redis-'));
  const port = await freePort();
  let server: ChildProcess | null = null;

  async function start(): Promise<void> {
    const flags = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
    const child = spawn('redis-server', ['--port', String(port), ...flags], { stdio: 'ignore' });
    let failure: Error | null = null;
    child.once('error', (error) => {
      failure = error;
    });
    server = child;
    while (!(await answers(port))) {
      if (failure !== null || child.exitCode !== null)
        throw new Error('redis-server does not run here: install the package redis-server', {
          cause: failure,
        });
      await sleep(20);
    }
  }

  async function kill(): Promise<void> {
    const child = server;
    server = null;
    if (child === null) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  const endWithUs = (): void => void server?.kill('SIGKILL');
  process.once('exit', endWithUs);
  await start();
  return {
    port,
    kill,
    start,
    async stop() {
      process.off('exit', endWithUs);
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', (bytes) => {
      resolve(String(bytes).startsWith('+PONG'));
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
  });
}
