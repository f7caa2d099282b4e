import { join } from 'node:path';
import type { Samples } from '../contest.ts';
import { contestRows, type BenchOptions, type Row } from '../rows.ts';
import { answer, end, start } from './child.ts';
import type { ForgetTask } from './forgetter-main.ts';
import { DAY_SECONDS, openOrganisation, write } from './organisation.ts';

const RETENTION_DAYS = 30;
const policy = {
  retentionSeconds: RETENTION_DAYS * DAY_SECONDS,
  exportSeconds: 60 * DAY_SECONDS,
  // It is away while all of it is written.
  silenceSeconds: RETENTION_DAYS * DAY_SECONDS,
};

/** Block after block is over on a member's device that has read them all, and goes from its disk and its memory. */
export async function benchDeletion({ quick }: BenchOptions): Promise<Row[]> {
  const [blocks, perBlock] = quick ? [4, 200] : [10, 1_000];
  const organisation = await openOrganisation(policy);
  const forgetter = start('forgetter-main.ts', join(organisation.folder, 'forgetter'));
  try {
    const { founder } = organisation;
    forgetter.send(await founder.invite());
    await answer(forgetter);
    for (let block = 1; block <= blocks; block += 1) {
      await write([founder], perBlock, `block ${block} `);
      await organisation.leapDay();
    }
    const task: ForgetTask = { days: RETENTION_DAYS, blocks, perBlock };
    forgetter.send(task);
    const { samples } = await answer<{ samples: Samples }>(forgetter);
    const work = `deletion of a block of ${perBlock.toLocaleString('en')} messages`;
    return contestRows({ bench: 'lifecycle', work, n: perBlock, unit: 'ms' }, samples, {
      ours: 'keytide',
      valueOf: (ms) => ms,
    });
  } finally {
    await end(forgetter);
    await organisation.close();
  }
}
