import type { Output } from './output.ts';

/** Told how far something has come. */
export type Progress = (done: number, total: number) => void;

const WIDTH = 30;

/** A bar on a terminal, JSON lines with `--json`, nothing elsewhere. `stage` names what is counted. */
export function createProgress(output: Output, stage: string, stderr: NodeJS.WriteStream): Progress {
  let last = -1;
  return (done, total) => {
    if (done === last) return;
    last = done;
    output.event({ event: 'progress', stage, done, total } as { event: string });
    if (output.json || !stderr.isTTY) return;
    const filled = total === 0 ? WIDTH : Math.floor((done / total) * WIDTH);
    const bar = '#'.repeat(filled).padEnd(WIDTH, '.');
    stderr.write(`\r${stage.padEnd(9)} [${bar}] ${done}/${total}${done === total ? '\n' : ''}`);
  };
}
