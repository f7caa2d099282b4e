import { join } from 'node:path';
import { processorClock } from '../clock.ts';
import { comparedRow, plainRow, type BenchOptions, type Row } from '../rows.ts';
import { answer, end, start } from './child.ts';
import { OPEN_FLOOR } from './open-floor.ts';
import { DAY_MS, DAY_SECONDS, openOrganisation, write } from './organisation.ts';
import type { Seen, Task } from './reader-main.ts';

const DAYS = 30;
const WRITERS = 5;
/** Keys go on reaching the one who is away, and everything that was written can still be read. */
const policy = {
  retentionSeconds: 60 * DAY_SECONDS,
  exportSeconds: 60 * DAY_SECONDS,
  silenceSeconds: (DAYS + 2) * DAY_SECONDS,
};

/** A device that comes back after a month, and one that opens what it has stored. */
export async function benchAbsence({ quick, note }: BenchOptions): Promise<Row[]> {
  const [perDay, stored] = quick ? [20, 2_000] : [334, 100_000];
  const waiting = WRITERS + DAYS * perDay;
  const organisation = await openOrganisation(policy);
  const reader = (task: string | Task): Promise<Seen> => readApart(join(organisation.folder, 'reader'), task);
  try {
    const { founder } = organisation;
    const writers = [founder];
    while (writers.length < WRITERS)
      writers.push(await organisation.join(await founder.invite(), `writer ${writers.length}`));
    await reader(await founder.invite());
    // Whoever has a key can write from now on, connected or not.
    await write(writers, WRITERS);

    note(`${waiting.toLocaleString('en')} messages in ${DAYS} days`);
    for (let day = 1; day <= DAYS; day += 1) {
      await organisation.leapDay();
      await write(writers, perDay);
    }
    const task = { leapMs: DAYS * DAY_MS, isAlone: false, messages: waiting };
    const back = await reader(task);

    note(`${stored.toLocaleString('en')} stored messages`);
    for (const writer of writers.splice(1)) await writer.close();
    await write(writers, stored - waiting);
    await reader({ ...task, messages: stored });
    const alone = await reader({ ...task, isAlone: true, messages: stored });
    return [
      ...rowsOf(`log-in after ${DAYS} days`, waiting, back),
      ...rowsOf('open what is stored, without network', stored, alone),
    ];
  } finally {
    await organisation.close();
  }
}

/** What the reader's device sees in a process of its own. */
async function readApart(home: string, task: string | Task): Promise<Seen> {
  const reader = start('reader-main.ts', home);
  reader.send(task);
  try {
    return (await answer<{ seen: Seen }>(reader)).seen;
  } finally {
    await end(reader);
  }
}

function rowsOf(work: string, n: number, seen: Seen): Row[] {
  const row = (figure: string, unit: string, value: number): Row =>
    plainRow({ bench: 'lifecycle', work: `${work}: ${figure}`, n, unit }, [value]);
  const { runtime } = processorClock;
  const { firstMs, allMs, processorMs, floorMs, peakBytes, heldBytes } = seen;
  return [
    row('to the first message', 'ms', firstMs),
    row('to all of them', 'ms', allMs),
    comparedRow(
      { ...row('to all of them', 'ms', processorMs), runtime },
      OPEN_FLOOR,
      floorMs / processorMs,
      null,
    ),
    { ...row(OPEN_FLOOR, 'ms', floorMs), runtime },
    row('memory at most', 'B a message', peakBytes / n),
    row('memory that is held', 'B a message', heldBytes / n),
  ];
}
