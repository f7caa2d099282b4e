import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A relay in a process of its own. */
export interface SpawnedRelay {
  readonly pid: number;
  readonly url: string;
  readonly name: string;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL('relay-process.ts', import.meta.url));

/** Starts one on a data folder and waits until it listens. @throws Error with its own words when it does not */
export async function spawnRelay(folder: string): Promise<SpawnedRelay> {
  const child: ChildProcess = spawn(process.execPath, ['--conditions=keytide-source', SCRIPT, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const event = JSON.parse(line) as Record<string, string>;
    if (event['event'] === 'start-failed') {
      await gone;
      throw Object.assign(new Error(event['message']), { code: event['code'] });
    }
    if (event['event'] !== 'listening') continue;
    child.stdout?.resume();
    return {
      pid: child.pid as number,
      url: event['url'] as string,
      name: event['name'] as string,
      async kill() {
        child.kill('SIGKILL');
        await gone;
      },
    };
  }
  throw new Error('the relay ended before it listened');
}
