import { contest, type Contestant } from '../contest.ts';
import { contestRows, type BenchOptions, type Row } from '../rows.ts';
import { checkOpened, makePayloads } from './messenger.ts';
import { loadMessengers } from './messengers.ts';

/** One sender, message after message; each round's messages are opened again when the clock has stopped. */
export async function benchSeal({ quick, clock }: BenchOptions): Promise<Row[]> {
  const n = 200;
  const payloads = makePayloads(n);
  const contestants = await Promise.all(
    (await loadMessengers(quick)).map(async (messenger): Promise<Contestant> => {
      let checked = false;
      const group = await messenger.makeGroup(1);
      return {
        name: messenger.name,
        async round(time) {
          const sealed = await time(async () => {
            const made: unknown[] = [];
            for (const payload of payloads) made.push(await group.seal(0, payload));
            return made;
          });
          if (checked) return;
          // A reader knows the first round; it stands for the others, which continue the same session.
          const reader = await group.reader();
          checkOpened(await reader.openAll(sealed), payloads);
          reader.close?.();
          checked = true;
        },
      };
    }),
  );
  const samples = await contest(contestants, {
    rounds: quick ? 5 : 25,
    warmUps: 2,
    now: clock.now,
  });
  return contestRows(
    { bench: 'crypto', work: 'seal 1 KB', n, unit: 'µs/message', runtime: clock.runtime },
    samples,
    {
      ours: 'keytide',
      valueOf: (ms) => (ms * 1_000) / n,
      goals: { 'libsignal sender key': 1.3, 'Megolm (olm)': 1.6, 'Megolm (matrix-sdk-crypto-wasm)': 1.6 },
    },
  );
}
