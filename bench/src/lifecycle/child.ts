import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process of its own, of a file beside this one. It ends when it is disconnected. */
export function start(main: string, folder: string): ChildProcess {
  const path = fileURLToPath(new URL(main, import.meta.url));
  return fork(path, [folder], { execArgv: [...process.execArgv, '--expose-gc'] });
}

/** The child's next message. @throws when it ends instead */
export function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a process ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as T);
    });
  });
}

/** Resolves once it has ended. */
export async function end(child: ChildProcess): Promise<void> {
  if (!child.connected) return;
  const ended = once(child, 'exit');
  child.disconnect();
  await ended;
}
