import { contest, type Contestant } from '../contest.ts';
import { contestRows, type BenchOptions, type Row } from '../rows.ts';
import { openFloor, OPEN_FLOOR } from './open-floor.ts';
import { checkOpened, makePayloads, type Messenger, type Opened, type Reader } from './messenger.ts';
import { loadMessengers } from './messengers.ts';

/** Messages that come one at a time, each checked before it is shown. */
export async function benchOpenLive({ quick, clock }: BenchOptions): Promise<Row[]> {
  const n = 200;
  const openEach = async (reader: Reader<unknown>, sealed: readonly unknown[]): Promise<Opened[]> => {
    const opened: Opened[] = [];
    for (const message of sealed) opened.push(await reader.open(message));
    return opened;
  };
  const contestants = await openers(await loadMessengers(quick), { senders: 1, n, openEach });
  const samples = await contest([...contestants, await openFloor(n)], {
    rounds: quick ? 5 : 25,
    warmUps: 2,
    now: clock.now,
  });
  return contestRows(
    { bench: 'crypto', work: 'open 1 KB, live', n, unit: 'µs/message', runtime: clock.runtime },
    samples,
    {
      ours: 'keytide',
      valueOf: (ms) => (ms * 1_000) / n,
      goals: { [OPEN_FLOOR]: 1 / 1.15 },
    },
  );
}

/** 1,000 messages of 10 senders that came while the device was away. */
export async function benchOpenBacklog({ quick, clock }: BenchOptions): Promise<Row[]> {
  const n = 1_000;
  const openEach = async (reader: Reader<unknown>, sealed: readonly unknown[]) => reader.openAll(sealed);
  const contestants = await openers(await loadMessengers(quick), { senders: 10, n, openEach });
  const samples = await contest(contestants, {
    rounds: quick ? 3 : 15,
    warmUps: 1,
    now: clock.now,
  });
  const work = 'open a backlog of 1,000 × 1 KB';
  return contestRows({ bench: 'crypto', work, n, unit: 'µs/message', runtime: clock.runtime }, samples, {
    ours: 'keytide',
    valueOf: (ms) => (ms * 1_000) / n,
    goals: { 'libsignal sender key': 5, 'Megolm (olm)': 8, 'Megolm (matrix-sdk-crypto-wasm)': 8 },
  });
}

interface Opening {
  readonly senders: number;
  readonly n: number;
  readonly openEach: (reader: Reader<unknown>, sealed: readonly unknown[]) => Promise<Opened[]>;
}

/** Every messenger opens the same messages in every round, with a reader that is as it was before the first. */
async function openers(
  messengers: readonly Messenger[],
  { senders, n, openEach }: Opening,
): Promise<Contestant[]> {
  const payloads = makePayloads(n);
  const contestants: Contestant[] = [];
  for (const { name, makeGroup } of messengers) {
    const group = await makeGroup(senders);
    const sealed: unknown[] = [];
    for (const [index, payload] of payloads.entries())
      sealed.push(await group.seal(index % senders, payload));
    contestants.push({
      name,
      async round(time) {
        const reader = await group.reader();
        checkOpened(await time(() => openEach(reader, sealed)), payloads);
        reader.close?.();
      },
    });
  }
  return contestants;
}
