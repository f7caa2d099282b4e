import type { Output } from './output.ts';

/** Told how far something has come. */
export type Progress = (done: number, total: number) => void;

const WIDTH = 30;

/**
 * A bar on a terminal, with how fast it goes and how long it takes; JSON lines with `--json`, nothing elsewhere. `stage`
 * names what is counted.
 */
export function createProgress(output: Output, stage: string, stderr: NodeJS.WriteStream): Progress {
  const startMs = Date.now();
  let last = -1;
  return (done, total) => {
    if (done === last) return;
    last = done;
    output.event({ event: 'progress', stage, done, total } as { event: string });
    if (output.json || !stderr.isTTY) return;
    const filled = total === 0 ? WIDTH : Math.floor((done / total) * WIDTH);
    const bar = '#'.repeat(filled).padEnd(WIDTH, '.');
    const pace = paceText(done, total, (Date.now() - startMs) / 1000);
    stderr.write(
      `\r${stage.padEnd(9)} [${bar}] ${done}/${total}${pace}${ERASE_REST}${done === total ? '\n' : ''}`,
    );
  };
}

const ERASE_REST = '\u001b[K';

/** How many a second, and how long the rest takes at that. */
export function paceText(done: number, total: number, seconds: number): string {
  if (done === 0 || seconds < 1) return '';
  const perSecond = done / seconds;
  const rate = perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond));
  if (done >= total) return `, ${rate}/s`;
  const left = Math.ceil((total - done) / perSecond);
  const clock =
    left < 60 ? `${left} s` : left < 3600 ? `${Math.ceil(left / 60)} min` : `${(left / 3600).toFixed(1)} h`;
  return `, ${rate}/s, ${clock} left`;
}
