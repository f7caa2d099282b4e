import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  auditPast,
  createRoleChange,
  headsOf,
  parseDeviceHead,
  parseMemberHead,
  publishKeys,
  randomSize,
  readHeads,
  readKeys,
  type HeadName,
  type KnownHead,
  type MapCheckpoint,
  type MapItem,
} from '@keytide/key-directory';
import { seededRandom, type SeededWorld } from '@keytide/testkit';
import { describe, expect, test } from 'vitest';
import { forge, invite, join, joinBody, stranger } from '../forge.ts';
import { answering, refusalOf, ShownLog, witnessedWorld } from './shown-log.ts';

/** Three members, and a fourth who comes later and becomes an exporter later still. */
function story(seed: string): { world: SeededWorld; late: ReturnType<typeof stranger> } {
  const world = witnessedWorld({ seed, members: 3, admins: 2 });
  for (let i = 0; i < 3; i += 1) invite(world);
  const late = stranger(world);
  world.append(join(world, invite(world), late));
  for (let i = 0; i < 3; i += 1) invite(world);
  const member = world.state.devices.get(late.id)?.member as never;
  world.append(createRoleChange({ ...world.as(world.members[0].devices[0]), member, role: 'exporter' }));
  for (let i = 0; i < 3; i += 1) invite(world);
  return { world, late };
}

async function knownHeads(log: ShownLog, names: readonly HeadName[]): Promise<KnownHead[]> {
  const leaves = await readHeads({ primitives, source: log }, log.checkpoint(), names);
  return names.map((name, i) => {
    const leaf = leaves[i] as Uint8Array;
    const { addedAt, since } = name.of === 'device' ? parseDeviceHead(leaf) : parseMemberHead(leaf);
    return { name, leaf, addedAt, since };
  });
}

describe('heads', () => {
  test('of anybody there was are proved, and that there was nobody is proved', async () => {
    const { world, late } = story('heads');
    const log = await new ShownLog().grow(world);
    const tools = { primitives, source: log };
    const names: HeadName[] = [...world.state.devices.keys()].map((id) => ({ of: 'device', id }));
    const heads = await readHeads(tools, log.checkpoint(), names);
    for (const [i, { id, member }] of [...world.state.devices.values()].entries()) {
      const head = parseDeviceHead(heads[i] as Uint8Array);
      expect(head.member).toBe(member);
      const device = world.state.devices.get(id);
      expect(await readKeys(tools, id, head)).toEqual({
        signingPublicKey: device?.signingPublicKey,
        sealing: device?.sealing,
      });
    }
    const absent: HeadName = { of: 'device', id: stranger(world).id };
    expect(await readHeads(tools, log.checkpoint(), [absent])).toEqual([null]);
    // Another's absence is no proof of this one's.
    const forAnother = { ...log, readLookup: () => log.readLookup(absent, log.size) };
    const lie = readHeads(
      { primitives, source: { ...forAnother, readTile: log.readTile, readEntry: log.readEntry } },
      log.checkpoint(),
      [{ of: 'device', id: late.id }],
    );
    expect(await refusalOf(lie)).toBe('bad-proof');
  });

  test('come with the keys that they name, and no others', async () => {
    const { world, late } = story('keys');
    const log = await new ShownLog().grow(world);
    const [leaf] = await readHeads({ primitives, source: log }, log.checkpoint(), [
      { of: 'device', id: late.id },
    ]);
    const head = parseDeviceHead(leaf as Uint8Array);
    const tools = { primitives, source: log };
    for (let index = 0; index < log.size; index += 1) {
      const isIt = index === head.addedAt;
      expect(await refusalOf(readKeys(tools, late.id, { ...head, addedAt: index }))).toBe(
        isIt ? null : 'bad-proof',
      );
    }
    expect(await refusalOf(readKeys(tools, late.id, { ...head, addedAt: log.size }))).toBe('not-stored');
    const sealing = new Uint8Array(32);
    expect(await refusalOf(readKeys(tools, late.id, { ...head, sealing }))).toBe('bad-proof');
    // An entry that was never in the log, with another signing key beside the sealing key that the head names.
    const { signer } = stranger(world);
    const keys = publishKeys(primitives, { ...late.own, signer });
    const wire = forge(world, late, { ...joinBody(world, invite(world), late), ...keys });
    const forging = { readTile: log.readTile, readLookup: log.readLookup, readEntry: async () => wire };
    expect(await refusalOf(readKeys({ primitives, source: forging }, late.id, head))).toBe('bad-proof');
  });
});

describe('an audit of the past', () => {
  test('finds nothing in an honest log, at any size', async () => {
    const { world, late } = story('honest');
    const log = await new ShownLog().grow(world);
    const owner = world.state.devices.get(late.id)?.member as never;
    const known = await knownHeads(log, [
      { of: 'device', id: late.id },
      { of: 'member', id: owner },
      { of: 'device', id: world.members[0].devices[0].id },
    ]);
    for (let size = 1; size <= log.size; size += 1)
      await auditPast({ primitives, source: log }, log.checkpoint(), log.checkpoint(size), known);
  });

  test('finds a root, a log or a size that is another', async () => {
    const { world } = story('another');
    const log = await new ShownLog().grow(world);
    const past = log.checkpoint(5);
    const check = (shown: MapCheckpoint): Promise<string | null> =>
      refusalOf(auditPast({ primitives, source: log }, log.checkpoint(), shown, []));
    expect(await check(past)).toBeNull();
    expect(await check({ ...past, root: new Uint8Array(32) })).toBe('bad-proof');
    expect(await check({ ...past, size: 6 })).toBe('bad-proof');
    expect(await check({ ...past, size: 0 })).toBe('bad-proof');
    expect(await check({ ...log.checkpoint(), size: log.size + 1 })).toBe('bad-proof');
    expect(await check({ ...past, origin: 'elsewhere' })).toBe('bad-proof');
  });

  test('finds tiles that are others than those of the present log', async () => {
    const { world } = story('tiles');
    const log = await new ShownLog().grow(world);
    const other = await new ShownLog().grow(story('other tiles').world);
    const audit = auditPast({ primitives, source: other }, log.checkpoint(), other.checkpoint(5), []);
    expect(await refusalOf(audit)).toBe('bad-proof');
  });

  test('finds a map of the past in which a head was another, was there too early, or was missing', async () => {
    const { world, late } = story('ghost');
    const log = await new ShownLog().grow(world);
    const [known] = (await knownHeads(log, [{ of: 'device', id: late.id }])) as [KnownHead];
    const at = { before: known.addedAt, after: known.since + 1 };
    const lying = async (
      from: number,
      alter: (items: readonly MapItem[]) => MapItem[],
    ): Promise<string | null> => {
      const hostile = new ShownLog();
      for (const [index, wire] of world.wires.entries())
        await hostile.append(wire, (items) => (index === from ? alter(items) : items));
      const past = hostile.checkpoint(from + 1);
      return await refusalOf(auditPast({ primitives, source: hostile }, log.checkpoint(), past, [known]));
    };
    const key = headsOf(primitives, world.state).find(({ leaf }) => String(leaf) === String(known.leaf))
      ?.key as Uint8Array;
    expect(await lying(at.before - 1, (some) => [...some])).toBeNull();
    expect(await lying(at.before - 1, (some) => [...some, { key, leaf: known.leaf }])).toBe('bad-proof');
    expect(await lying(at.after, (some) => [...some])).toBeNull();
    expect(await lying(at.after, (some) => [...some, { key, leaf: Uint8Array.of(1) }])).toBe('bad-proof');
    expect(
      await lying(known.addedAt, (some) => some.filter((item) => String(item.key) !== String(key))),
    ).toBeNull();
  });

  test('is refused when any answer is another', async () => {
    const { world, late } = story('answers');
    const log = await new ShownLog().grow(world);
    const known = await knownHeads(log, [{ of: 'device', id: late.id }]);
    const honest = answering(log, (answer) => answer);
    const past = log.checkpoint(5);
    await auditPast({ primitives, source: honest }, log.checkpoint(), past, known);
    for (const [at, answer] of honest.answers.entries()) {
      const short = answering(log, (given, i) => (i === at ? (answer as Uint8Array).slice(1) : given));
      const audit = auditPast({ primitives, source: short }, log.checkpoint(), past, known);
      expect(await refusalOf(audit)).not.toBeNull();
    }
  });

  test('chooses every size', () => {
    const random = seededRandom('sizes');
    const drawn = Array.from({ length: 400 }, () => randomSize(random, 3, 12));
    expect([...new Set(drawn)].toSorted((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(randomSize(random, 7, 7)).toBe(7);
    const biased = [new Uint8Array(6).fill(255), new Uint8Array(6)];
    expect(randomSize(() => biased.shift() as Uint8Array, 0, 9)).toBe(0);
  });
});
