import { createEpoch, openEpochBox, parseEpochStatement, Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { contest, type Contestant } from '../contest.ts';
import { loadPeer } from '../peers.ts';
import { contestRows, type BenchOptions, type Row } from '../rows.ts';
import { makeWorld } from './world.ts';
import { X_WING_FLOOR, xWingFloor } from './x-wing-floor.ts';

const DEVICES = 1_000;

/** A way to give so many devices a fresh key. */
export interface FanOut {
  prepare(devices: number): Promise<Contestant>;
}

/** A fresh epoch key to 1,000 devices whose public keys the sender has had for long. */
export async function benchFreshKey({ quick, clock }: BenchOptions): Promise<Row[]> {
  const peers = quick
    ? ['libsignal-fan-out', 'mls-add-commit']
    : ['libsignal-fan-out', 'mls-add-commit', 'mls-add-commit-x-wing'];
  const world = await makeWorld(primitives, random, DEVICES);
  const contestants = [epoch(world, clock.now), xWingFloor(world.devices)];
  for (const name of peers) contestants.push(await (await loadPeer<FanOut>(name)).prepare(DEVICES));
  const samples = await contest(contestants, { rounds: quick ? 3 : 9, warmUps: 1, now: clock.now });
  const work = 'a fresh key to 1,000 devices, hybrid';
  return contestRows({ bench: 'crypto', work, n: DEVICES, unit: 'ms', runtime: clock.runtime }, samples, {
    ours: 'keytide',
    valueOf: (ms) => ms,
    goals: {
      [X_WING_FLOOR]: 1 / 1.2,
      'MLS add-commit (ts-mls, X25519)': 6,
      'MLS add-commit (ts-mls, X-Wing)': 6,
    },
  });
}

/** Our epoch: the statement with the hash of its recipients, signed, and a box for each. */
function epoch({ input, devices }: Awaited<ReturnType<typeof makeWorld>>, now: () => number): Contestant {
  return {
    name: 'keytide',
    async round(time) {
      const { statement, boxes, key } = await time(() => createEpoch({ ...input, now }));
      const parsed = parseEpochStatement(primitives, statement);
      const last = devices[DEVICES - 1] as (typeof devices)[number];
      const box = boxes.find(({ device }) => device === last.id)?.box as Uint8Array;
      const opened = openEpochBox(primitives, [last.decapsulator], parsed, last.id, box);
      if (boxes.length !== DEVICES || !sameSecret(opened, key)) throw new Error('a device has another key');
    },
  };
}

function sameSecret(a: Secret, b: Secret): boolean {
  return a.use((left) => b.use((right) => Buffer.compare(left, right) === 0));
}
