import { memoryKeyStore, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  acceptInvite,
  createInvite,
  createRemoveMember,
  createRevokeDevice,
  createRoleChange,
  createWipe,
  headsOf,
  mapRoot,
  parseTilePath,
  replay,
  tilePath,
  type DirectoryState,
} from '@keytide/key-directory';
import { seededDevice, seededRandom, seededWorld, signLog } from '@keytide/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DirectoryReplica } from '../src/directory-replica.ts';
import { memoryJournal } from '../src/journal.ts';
import type { LogSource } from '../src/log-source.ts';
import { OwnMap } from '../src/own-map.ts';

const DAY_MS = 86_400_000;
const relay = primitives.signer(seededRandom('the relay of own-map')(32));

/** The log of people who come, change and go, as `fates` say, of a relay that signs it. */
function logOf(fates: readonly Fate[]): readonly Uint8Array[] {
  const policy = {
    blockSeconds: 86_400,
    retentionSeconds: 86_400,
    exportSeconds: 86_400,
    relayKey: relay.publicKey,
  };
  const world = seededWorld({ seed: 'own map', members: 2, devicesPerMember: 2, admins: 2, policy });
  const [admin] = world.members[0].devices;
  for (const [i, fate] of fates.entries()) {
    const present = [...world.state.members.values()].filter(
      ({ role, removedAt }) => role !== 'admin' && removedAt === null,
    );
    const one = present[i % Math.max(1, present.length)];
    const device = one?.activeDevices[0];
    const context = world.as(admin);
    if (fate === 'come' || one === undefined) {
      const expiresMs = world.clock.now() + DAY_MS;
      const invite = createInvite({ ...context, random: world.random, role: 'member', expiresMs });
      world.append(invite.wire);
      const own = seededDevice(primitives, world.random, world.clock.now()).own;
      const joiner = { ...world.as(admin), random: world.random, seed: invite.seed, device: own };
      world.append(acceptInvite({ ...joiner, handle: `newcomer ${i}` }));
    } else if (fate === 'change') {
      const role = one.role === 'member' ? 'exporter' : 'member';
      world.append(createRoleChange({ ...context, member: one.id, role }));
    } else if (fate === 'lose' && device !== undefined) {
      world.append(createRevokeDevice({ ...context, device }));
    } else if (fate === 'wipe' && device !== undefined) {
      world.append(createWipe({ ...context, target: { of: 'device', device } }));
    } else {
      world.append(createRemoveMember({ ...context, member: one.id }));
    }
  }
  return world.wires;
}

const FATES = ['come', 'change', 'lose', 'wipe', 'go'] as const;
type Fate = (typeof FATES)[number];
const fates = fc.array(fc.constantFrom<Fate>('come', 'come', ...FATES), { minLength: 1, maxLength: 12 });

/** The states at growing sizes, each from the one before, the last one whole. */
function statesAt(wires: readonly Uint8Array[], steps: readonly number[]): DirectoryState[] {
  const states: DirectoryState[] = [];
  for (let [size, i] = [0, 0]; size < wires.length; i += 1) {
    const next = Math.min(wires.length, size + (steps[i] ?? wires.length));
    states.push(replay(primitives, wires.slice(size, next), states.at(-1) ?? null));
    size = next;
  }
  return states;
}

const fromScratch = (state: DirectoryState): string => toHex(mapRoot(primitives, headsOf(primitives, state)));

describe('the map of one’s own log', () => {
  test('has after every growth the root that it has from scratch, and no node more than it takes', async () => {
    await fc.assert(
      fc.asyncProperty(fates, fc.array(fc.integer({ min: 1, max: 6 })), async (lives, steps) => {
        const nodes = new Map<string, Uint8Array>();
        const map = new OwnMap(primitives, nodes);
        for (const state of statesAt(logOf(lives), steps)) {
          expect(toHex(await map.rootOf(state))).toBe(fromScratch(state));
          expect(nodes.size).toBe(2 * headsOf(primitives, state).length - 1);
        }
      }),
      { numRuns: 30, seed: 11 },
    );
  });

  test('answers in turn whoever asks at once, and for an older state too', async () => {
    const nodes = new Map<string, Uint8Array>();
    const map = new OwnMap(primitives, nodes);
    const states = statesAt(logOf(['come', 'come', 'change', 'go', 'come']), [2, 2, 2, 2]);
    const asked = [...states, ...states, ...states.toReversed()];
    const roots = await Promise.all(asked.map((state) => map.rootOf(state)));
    expect(roots.map(toHex)).toEqual(asked.map(fromScratch));
    expect(nodes.size).toBe(2 * headsOf(primitives, states.at(-1) as DirectoryState).length - 1);
  });
});

/** What a relay may show at one moment: the truth, another map or tree, or an entry that no rule allows. */
const SHOWN = ['truth', 'other map', 'other tree', 'refused entry'] as const;
type Shown = (typeof SHOWN)[number];

function sourceOf(org: DirectoryState['org'], wires: readonly Uint8Array[], shown: Shown): LogSource {
  // The same entry twice continues nothing.
  const entries = shown === 'refused entry' ? [...wires, wires.at(-1) as Uint8Array] : wires;
  const lie = new Uint8Array(32).fill(7);
  const signed = signLog(
    { primitives, signer: relay, org },
    entries,
    shown === 'other map' ? lie : undefined,
  );
  const another = signLog({ primitives, signer: relay, org }, [...entries.slice(0, -1), lie]);
  return {
    readLog: (from) => Promise.resolve({ entries: entries.slice(from), size: entries.length }),
    appendLog: () => Promise.reject(new Error('it has everything')),
    readCheckpoint: () => Promise.resolve(shown === 'other tree' ? another.note : signed.note),
    readTile: (tile) => {
      const path = tilePath(tile);
      return Promise.resolve(parseTilePath(path) === null ? null : signed.tile(path));
    },
  };
}

test('a growth that is refused leaves the map as it was: the truth is believed right after it, and no other', async () => {
  const moments = fc.array(
    fc.record({ more: fc.integer({ min: 1, max: 5 }), shown: fc.constantFrom<Shown>(...SHOWN) }),
    { minLength: 2, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(fates, moments, async (lives, steps) => {
      const wires = logOf(lives);
      const { org } = replay(primitives, wires);
      const replica = await DirectoryReplica.open({
        primitives,
        org,
        journal: memoryJournal(),
        keyStore: memoryKeyStore(),
      });
      let size = 2;
      for (const { more, shown } of steps) {
        size = Math.min(wires.length, size + more);
        const seen = wires.slice(0, size);
        if (shown !== 'truth')
          await expect(replica.pull(sourceOf(org, seen, shown))).rejects.toMatchObject({
            code: 'relay-forked',
          });
        await replica.pull(sourceOf(org, seen, 'truth'));
        expect(replica.checkpoint?.size).toBe(size);
        expect(toHex(replica.checkpoint?.mapRoot as Uint8Array)).toBe(fromScratch(replica.state));
      }
    }),
    { numRuns: 8, seed: 12 },
  );
});
