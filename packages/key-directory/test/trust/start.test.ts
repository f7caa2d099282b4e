import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  advanceAnchor,
  anchorByInvite,
  checkpointOf,
  DirectoryError,
  type Anchor,
  type HashTileName,
  type HeadName,
  type InvitedTo,
} from '@keytide/key-directory';
import type { SeededDevice, SeededWorld } from '@keytide/testkit';
import { describe, expect, test } from 'vitest';
import { invite, inviteDevice, join, stranger } from '../forge.ts';
import { HOUR, nowSeconds, refusalOf, ShownLog, witnessedWorld } from './shown-log.ts';

interface Stage {
  readonly world: SeededWorld;
  readonly log: ShownLog;
  readonly inviter: SeededDevice;
  readonly second: SeededDevice;
  readonly invited: InvitedTo;
  readonly now: number;
}

/** An invite by the founder, whose link was made when the log had grown `late` entries more; then it grew on. */
async function stage(seed: string, late = 0): Promise<Stage> {
  const world = witnessedWorld({ seed, members: 3, admins: 2 });
  const [first, other] = world.members;
  const { id } = invite(world);
  for (let i = 0; i < late; i += 1) invite(world, 'member', other?.devices[0]);
  const invited = { org: world.org, invite: id, checkpoint: checkpointOf(world.state) };
  world.append(join(world, invite(world, 'member', other?.devices[0]), stranger(world)));
  const log = await new ShownLog().grow(world);
  const second = other?.devices[0] as SeededDevice;
  return { world, log, inviter: first.devices[0], second, invited, now: nowSeconds(world) };
}

describe('the first anchor of who is invited', () => {
  test('rests on the cosignature of the device that made the invite, and leads on', async () => {
    const { world, log, inviter, second, invited, now } = await stage('invited');
    const tools = { primitives, source: log };
    const note = log.note([second, inviter], now);
    const anchor = await anchorByInvite(tools, invited, note, now);
    expect(anchor.checkpoint).toEqual(log.checkpoint());
    expect(anchor.cosigners.map(({ device }) => device)).toEqual([inviter.id]);
    const next = await advanceAnchor(tools, anchor, note, now);
    expect(next.policy).toEqual(world.state.policy);
    expect(next.cosigners).toHaveLength(2);
  });

  test('may rest on an old cosignature: the step after it may not', async () => {
    const { log, inviter, second, invited, now } = await stage('old');
    const tools = { primitives, source: log };
    const note = log.note([second, inviter], now);
    const later = now + 2 * HOUR;
    const anchor = await anchorByInvite(tools, invited, note, later);
    expect(await refusalOf(advanceAnchor(tools, anchor, note, later))).toBe('unwitnessed');
  });

  test('finds an invite that is a few entries below the link’s checkpoint, not one that is far below', async () => {
    const near = await stage('near', 63);
    const tools = { primitives, source: near.log };
    const note = near.log.note([near.inviter], near.now);
    expect(await refusalOf(anchorByInvite(tools, near.invited, note, near.now))).toBeNull();
    const far = await stage('far', 64);
    const farNote = far.log.note([far.inviter], far.now);
    const search = anchorByInvite({ primitives, source: far.log }, far.invited, farNote, far.now);
    expect(await refusalOf(search)).toBe('invite-unknown');
  });

  const refused = async (
    seed: string,
    alter: (stage: Stage) => { note?: Uint8Array; invited?: Partial<InvitedTo>; log?: ShownLog },
  ): Promise<string | null> => {
    const here = await stage(seed);
    const altered = alter(here);
    const note = altered.note ?? here.log.note([here.inviter], here.now);
    const source = altered.log ?? here.log;
    const invited = { ...here.invited, ...altered.invited };
    return await refusalOf<Anchor>(anchorByInvite({ primitives, source }, invited, note, here.now));
  };

  test('is refused when another admin cosigned, or nobody', async () => {
    expect(await refused('other', ({ log, second, now }) => ({ note: log.note([second], now) }))).toBe(
      'unwitnessed',
    );
    expect(await refused('nobody', ({ log, now }) => ({ note: log.note([], now) }))).toBe('unwitnessed');
  });

  test('is refused for another log, an older checkpoint, another organisation, another invite', async () => {
    const root = new Uint8Array(32);
    const another = ({ invited }: Stage): { invited: Partial<InvitedTo> } => ({
      invited: { checkpoint: { ...invited.checkpoint, root } },
    });
    expect(await refused('another log', another)).toBe('bad-proof');
    const older = ({ log, inviter, now }: Stage): { note: Uint8Array } => ({
      note: log.note([inviter], now, log.checkpoint(2)),
    });
    expect(await refused('older', older)).toBe('rolled-back');
    const foreign = ({ log, inviter, now }: Stage): { note: Uint8Array } => ({
      note: log.note([inviter], now, { ...log.checkpoint(), origin: `keytide-log/v1/${'0'.repeat(64)}` }),
    });
    expect(await refused('foreign', foreign)).toBe('wrong-organisation');
    const mine = ({ world }: Stage): { invited: Partial<InvitedTo> } => ({
      invited: { invite: invite(world).id },
    });
    expect(await refused('another invite', mine)).toBe('invite-unknown');
  });

  test('is refused where the source shows another entry as the invite', async () => {
    const { world, log, second, invited, now } = await stage('swapped');
    const forged = invite(world, 'member', second);
    const wire = forged.wire;
    const source = { readTile: log.readTile, readLookup: log.readLookup, readEntry: log.readEntry };
    const swapped = {
      ...source,
      readEntry: (index: number) =>
        index === invited.checkpoint.size - 1 ? Promise.resolve(wire) : log.readEntry(index),
    };
    const note = log.note([second], now);
    const start = anchorByInvite(
      { primitives, source: swapped },
      { ...invited, invite: forged.id },
      note,
      now,
    );
    expect(await refusalOf(start)).toBe('bad-proof');
  });

  test('is refused where the note is of another branch than the link, whoever has cosigned it', async () => {
    const { world, log, inviter, invited, now } = await stage('branch');
    const fork = witnessedWorld({ seed: 'branch', members: 3, admins: 2 });
    invite(fork, 'member', fork.members[1]?.devices[0]);
    invite(fork);
    const other = await new ShownLog().grow(fork);
    expect(other.size).toBeLessThanOrEqual(log.size);
    expect(world.org).toBe(fork.org);
    let isLookedUp = false;
    const source = {
      readTile: (tile: HashTileName) => (isLookedUp ? other : log).readTile(tile),
      readLookup: (name: HeadName, size: number) => {
        isLookedUp = true;
        return other.readLookup(name, size);
      },
      readEntry: log.readEntry,
    };
    const start = anchorByInvite({ primitives, source }, invited, other.note([inviter], now), now);
    expect(await refusalOf(start)).toBe('bad-proof');
  });

  test('is refused for the invite of somebody who is no admin: the map speaks for nobody then', async () => {
    const world = witnessedWorld({ seed: 'own device', members: 2, admins: 1 });
    const [, member] = world.members;
    const device = member?.devices[0] as SeededDevice;
    const { id } = inviteDevice(world, device, member?.id as never);
    const log = await new ShownLog().grow(world);
    const invited = { org: world.org, invite: id, checkpoint: checkpointOf(world.state) };
    const now = nowSeconds(world);
    const start = anchorByInvite({ primitives, source: log }, invited, log.note([device], now), now);
    await expect(start).rejects.toBeInstanceOf(DirectoryError);
    expect(await refusalOf(start)).toBe('unwitnessed');
  });
});
