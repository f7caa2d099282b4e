import { contest } from '../contest.ts';
import { NEW_KEYS_FLOOR, X_WING_FLOOR, xWingFloor, xWingFloorOfNewKeys } from '../crypto/x-wing-floor.ts';
import { contestRows, plainRow, type BenchOptions, type Row } from '../rows.ts';
import { openCrowd } from './crowd.ts';

/** A block is over: from a message written to the message and the new epoch being with the relay. */
export async function benchRotation(size: number, { quick, clock }: BenchOptions): Promise<Row[]> {
  const crowd = await openCrowd(size);
  try {
    const rotation = {
      name: 'keytide',
      async round(time: <T>(work: () => Promise<T>) => Promise<T>): Promise<void> {
        const before = crowd.announced.length;
        await time(() => crowd.rotate());
        const boxes = crowd.announced.at(-1)?.boxes;
        if (crowd.announced.length !== before + 1 || boxes !== size)
          throw new Error(`a rotation for ${size} devices made ${boxes} boxes`);
      },
    };
    const sides = [rotation, xWingFloor(crowd.devices), xWingFloorOfNewKeys(crowd.devices)];
    const samples = await contest(sides, { rounds: quick ? 3 : 7, warmUps: 1, now: clock.now });
    const work = { bench: 'lifecycle', work: `rotation for ${size.toLocaleString('en')} devices`, n: size };
    return [
      ...contestRows({ ...work, unit: 'ms', runtime: clock.runtime }, samples, {
        ours: 'keytide',
        valueOf: (ms) => ms,
        goals: size < 1_000 ? {} : { [X_WING_FLOOR]: 1 / 2, [NEW_KEYS_FLOOR]: 1 / 2 },
      }),
      plainRow(
        { ...work, work: `${work.work}: announced`, unit: 'B' },
        crowd.announced.map(({ bytes }) => bytes),
      ),
    ];
  } finally {
    await crowd.close();
  }
}
