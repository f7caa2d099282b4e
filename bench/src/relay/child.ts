import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server of somebody else's, started for the bench. */
export interface Server {
  readonly pid: number;
  /** Resolves when it is gone. */
  stop(): Promise<void>;
}

const START_MS = 30_000;

/**
 * Starts a program that listens on this port of 127.0.0.1 and waits until it does.
 * @throws Error when it ends before, or does not in time
 */
export async function startServer(
  program: string,
  args: readonly string[],
  port: number,
  options: SpawnOptions = {},
): Promise<Server> {
  const child: ChildProcess = spawn(program, args, { stdio: 'ignore', ...options });
  let failure: Error | null = null;
  child.once('error', (error) => {
    failure = error;
  });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  async function stop(): Promise<void> {
    process.off('exit', endWithUs);
    if (failure !== null) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await gone;
    clearTimeout(timer);
  }
  const deadline = Date.now() + START_MS;
  while (!(await answers(port))) {
    if (failure !== null || child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`${program} does not run here`, { cause: failure });
    }
    await sleep(50);
  }
  return { pid: child.pid as number, stop };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
