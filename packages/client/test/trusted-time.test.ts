import { memoryKeyStore, type DeviceId, type MemberId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { createRevokeDevice, createRoleChange } from '@keytide/key-directory';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { TrustedTime } from '../src/trusted-time.ts';

const HOUR_MS = 3_600_000;
const START_MS = 1_767_225_600_000;
const at = (hours: number): number => START_MS + hours * HOUR_MS;
const [ann, ben, cal] = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(16)) as [never, never, never];

async function made() {
  const keyStore = memoryKeyStore();
  let nowMs = at(0);
  let writes = 0;
  const counted: typeof keyStore = {
    ...keyStore,
    write: (batch) => {
      writes += 1;
      return keyStore.write(batch);
    },
  };
  const open = () => TrustedTime.open({ keyStore: counted, clock: { now: () => nowMs } });
  return { open, set: (hours: number) => void (nowMs = at(hours)), writes: () => writes };
}

test('never runs backwards, also over a restart, but for what was not yet written: an hour at most', async () => {
  const { open, set, writes } = await made();
  const time = await open();
  set(5);
  await time.keep();
  set(5.9);
  await time.keep();
  expect(writes()).toBe(1);
  set(-100);
  expect(time.now()).toBe(at(5.9));
  expect((await open()).now()).toBe(at(5));
});

test('an admin moves it alone; members only two together, as far as the one who says less', async () => {
  const { open } = await made();
  const time = await open();
  const member = (of: never, hours: number) => time.saw({ member: of, isAdmin: false, ms: at(hours) });
  member(ben, 900);
  member(ben, 901);
  expect(time.now()).toBe(at(0));
  member(cal, 800);
  expect(time.now()).toBe(at(800));
  // Neither comes by an older one, nor is one member two.
  member(cal, 700);
  member(ben, 902);
  expect(time.now()).toBe(at(800));
  time.saw({ member: ann, isAdmin: true, ms: at(850) });
  expect(time.now()).toBe(at(850));
  member(cal, 950);
  expect(time.now()).toBe(at(902));
});

test('a clock that was far ahead heals when the relay says what the clock says now, and not otherwise', async () => {
  const { open, set } = await made();
  const time = await open();
  set(10_000);
  await time.keep();
  set(1);
  for (const saysHours of [10_000, 1.2, 0.8]) {
    await time.heal(at(saysHours));
    expect(time.now()).toBe(at(10_000));
  }
  await time.heal(at(1.1));
  expect([time.now(), (await open()).now()]).toEqual([at(1), at(1)]);
});

test('attested is what is signed, and what the clock says while the relay says the same: not the clock alone', async () => {
  const { open, set } = await made();
  const time = await open();
  await time.heal(at(0));
  set(10_000);
  await time.keep();
  await time.heal(at(1));
  expect([time.now(), time.attestedMs]).toEqual([at(10_000), at(0)]);
  expect((await open()).attestedMs).toBe(at(0));
  set(2);
  await time.heal(at(2.1));
  expect([time.attestedMs, (await open()).attestedMs]).toEqual([at(2), at(2)]);
  time.saw({ member: ann, isAdmin: true, ms: at(5) });
  expect(time.attestedMs).toBe(at(5));
});

test('nothing heals to before what is signed', async () => {
  const { open, set } = await made();
  const time = await open();
  time.saw({ member: ann, isAdmin: true, ms: at(5) });
  set(10);
  time.now();
  set(1);
  await time.heal(at(1));
  expect(time.now()).toBe(at(5));
});

test('the membership log tells the time: by its newest entry of an admin, or those of two others', async () => {
  const world = seededWorld({ seed: 'trusted time', members: 4 });
  const [ada, bo, cy, di] = world.members.map(({ devices }) => devices[0]);
  const base = world.state.timeMs;
  const hoursSaid = async (): Promise<number> => {
    const time = await (await made()).open();
    const { state, wires } = world;
    time.sawLog(primitives, { state, size: wires.length, wires: (from, to) => wires.slice(from, to) });
    return (time.signedMs - base) / HOUR_MS;
  };
  /** Ends a device of one's own, dated `hours` after the beginning. */
  const leaves = (device: typeof ada, hours: number): void => {
    world.clock.advance(base + hours * HOUR_MS - world.clock.now());
    const context = world.as(device as NonNullable<typeof ada>);
    world.append(createRevokeDevice({ ...context, device: device?.id as DeviceId }));
  };
  expect(await hoursSaid()).toBe(0);
  leaves(bo, 10);
  expect(await hoursSaid()).toBe(0);
  leaves(cy, 20);
  expect(await hoursSaid()).toBe(10);
  // An entry that only repeats the time before it, because the rules ask for that, is nobody's word.
  world.clock.advance(-HOUR_MS);
  const role = { member: world.members[3]?.id as MemberId, role: 'exporter' } as const;
  world.append(createRoleChange({ ...world.as(ada as NonNullable<typeof ada>), ...role }));
  expect(world.state.timeMs).toBe(base + 20 * HOUR_MS);
  expect(await hoursSaid()).toBe(10);
  leaves(di, 30);
  expect(await hoursSaid()).toBe(20);
  const later = { ...role, role: 'member' } as const;
  world.clock.advance(10 * HOUR_MS);
  world.append(createRoleChange({ ...world.as(ada as NonNullable<typeof ada>), ...later }));
  expect(await hoursSaid()).toBe(40);
});

test('a clock that is behind or ahead is told by the relay’s word, and before it by what is signed', async () => {
  const { open, set } = await made();
  const time = await open();
  expect(time.clockBehindSeconds).toBe(0);
  time.saw({ member: ann, isAdmin: true, ms: at(0.16) });
  expect(time.clockBehindSeconds).toBe(0);
  time.saw({ member: ann, isAdmin: true, ms: at(2) });
  expect(time.clockBehindSeconds).toBe(7200);
  // The signer's clock was ahead, as two say that agree.
  await time.heal(at(0.1));
  expect(time.clockBehindSeconds).toBe(0);
  await time.heal(at(5));
  expect(time.clockBehindSeconds).toBe(18_000);
  await time.heal(at(-1));
  expect(time.clockBehindSeconds).toBe(-3600);
  set(-1);
  await time.heal(at(-1));
  expect(time.clockBehindSeconds).toBe(0);
});
