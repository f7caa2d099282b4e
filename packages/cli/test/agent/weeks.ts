import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClientError } from '@keytide/client';
import {
  ArchiveError,
  exportArchive,
  readSignedManifest,
  verifyArchive,
  type Destination,
  type SignedManifest,
} from '@keytide/archive';
import { folderDestination } from '@keytide/archive/node';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { seededRandom } from '@keytide/testkit';
import { expect } from 'vitest';
import { archiveKey, optionsFor, said } from '../../../archive/test/exporting.ts';
import { worldSource } from '../../../archive/test/world-source.ts';
import type { AgentEvent } from '../../src/agent/agent-event.ts';
import { runAgent, type AgentOptions } from '../../src/agent/agent.ts';
import type { ExportingDevice } from '../../src/agent/exporting-device.ts';
import { openMemory } from '../../src/agent/state.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.UTC(2030, 0, 1);

class Killed extends Error {}

/**
 * An agent over simulated weeks, with a device that makes real archives in real folders: by the seed it is killed, told
 * to stop and put off, the relay is out of reach, a disk full, a destination gone, an archive rots before it is
 * verified, and the clock is set. Whenever the relay is told, everything up to there is at both destinations.
 */
export async function openWeeks(folder: string, seed: string) {
  const bytes = seededRandom(seed);
  const chance = (oneIn: number): boolean => (bytes(1)[0] as number) % oneIn === 0;
  const below = (limit: number): number => (((bytes(1)[0] as number) << 8) | (bytes(1)[0] as number)) % limit;

  const source = worldSource(seed);
  const [founder] = source.world.members;
  const device = founder.devices[0].id;
  const places: [string, string] = [join(folder, 'a'), join(folder, 'b')];
  const events: AgentEvent[] = [];
  const sound = new Set<string>();
  let nowMs = START_MS;
  let dayMs = START_MS;
  let faults = true;
  let toldThrough = 0;
  let open = 0;
  let kills = 0;
  let outUntilMs = 0;
  let fullUntilMs = 0;
  let awayUntilMs = 0;
  let controller = new AbortController();
  let stepsLeft = Infinity;
  let isDead = false;
  for (const place of places) await mkdir(place);

  /** Somewhere here the process may end. */
  function step(): void {
    stepsLeft -= 1;
    if (stepsLeft <= 0 && !isDead) {
      kills += 1;
      isDead = true;
      controller.abort(new Killed());
    }
    if (isDead) throw new Killed();
  }

  function dying(to: Destination): Destination {
    return {
      ...to,
      async write(name, content) {
        step();
        if (nowMs < fullUntilMs) throw new ArchiveError('destination-full', 'no room');
        const digest = await to.write(name, content);
        step();
        return digest;
      },
    };
  }

  const connected: ExportingDevice = {
    ...{ org: source.org, device },
    throughSeq: async () => source.log.length,
    currentSet: () => null,
    async export(options) {
      const destination = dying(options.destination);
      return await exportArchive({ ...optionsFor(source, destination), ...options, destination });
    },
    async acknowledge({ signed: { manifest } }) {
      step();
      const [group] = manifest.groups;
      if (group === undefined) throw new Error('no group');
      await expectEverywhere(group.throughSeq);
      if (group.before.size > toldThrough) return 'begins-later';
      toldThrough = Math.max(toldThrough, group.throughSeq);
      step();
      return 'acknowledged';
    },
    due: async () => ({ isWaived: false, deleted: [], days: [] }),
  };

  /** Each entry up to there is in an archive that is sound, at each destination. */
  async function expectEverywhere(throughSeq: number): Promise<void> {
    for (const place of places) {
      let covered = 0;
      const stretches: { from: number; to: number }[] = [];
      const names = await archivesIn(place);
      for (const name of names) {
        const files = folderDestination(join(place, name));
        const [group] = (await signedIn(files)).manifest.groups;
        if (group === undefined) continue;
        const path = join(place, name);
        // Nothing rots here once it was sound.
        if (!sound.has(path)) {
          const { verdict } = await verifyArchive({ primitives, files, org: source.org });
          if (verdict !== 'sound') continue;
          sound.add(path);
        }
        stretches.push({ from: group.before.size, to: group.throughSeq });
      }
      stretches.sort((one, other) => one.from - other.from);
      for (const { from, to } of stretches) if (from <= covered) covered = Math.max(covered, to);
      expect(covered).toBeGreaterThanOrEqual(throughSeq);
    }
  }

  /** The world goes on while the agent sleeps. */
  async function pass(ms: number): Promise<void> {
    nowMs += ms;
    for (; dayMs <= nowMs; dayMs += DAY_MS) {
      await source.day([said(below(3), dayMs, { text: `${dayMs}` })]);
      if (!faults) continue;
      if (chance(2)) outUntilMs = nowMs + below(30) * HOUR_MS;
      if (chance(2)) fullUntilMs = nowMs + below(4) * HOUR_MS;
      if (chance(2)) stepsLeft = 1 + below(50);
      if (chance(6)) nowMs -= below(50) * HOUR_MS;
      if (chance(2)) {
        awayUntilMs = nowMs + (3 + below(4)) * HOUR_MS;
        await unmount();
      }
    }
    if (nowMs >= awayUntilMs) await mount();
  }

  /** As a disk that is not there, and where nobody can put anything. */
  async function unmount(): Promise<void> {
    if (!(await isMounted())) return;
    await rename(places[1], `${places[1]}.away`);
    await writeFile(places[1], '');
  }
  async function mount(): Promise<void> {
    if (await isMounted()) return;
    await rm(places[1]);
    await rename(`${places[1]}.away`, places[1]);
  }
  const isMounted = async (): Promise<boolean> => !(await readdir(folder)).includes('b.away');

  /** One bit of what was just made, before it is verified. */
  async function rot(name: string): Promise<void> {
    const path = join(places[0], name, 'data/README-DECRYPT.txt');
    const content = await readFile(path);
    content[20] = (content[20] as number) ^ 1;
    await writeFile(path, content);
  }

  async function live(untilMs: number): Promise<void> {
    while (dayMs <= untilMs) {
      controller = new AbortController();
      isDead = false;
      stepsLeft = Infinity;
      const { signal } = controller;
      const kept = await openMemory(join(folder, 'agent.json'), nowMs);
      let rotting: string | null = null;
      const options: AgentOptions = {
        schedule: { everyMs: DAY_MS, offsetMs: 2 * HOUR_MS },
        choice: {
          ...{ destinations: places, needed: 2, acknowledge: 'readable', fullAfter: 6 },
          recipients: [archiveKey.publicKey],
          set: null,
        },
        memory: {
          get state() {
            return kept.state;
          },
          async keep(changed) {
            step();
            if (rotting !== null) await rot(rotting);
            rotting = null;
            await kept.keep(changed);
            step();
          },
        },
        time: {
          now: () => nowMs,
          random: () => below(1000) / 1000,
          async wait(ms) {
            await pass(ms);
            if (dayMs > untilMs) controller.abort(new Killed());
          },
        },
        signal,
        tell(event) {
          events.push(event);
          if (event.event === 'exported' && faults && chance(4)) rotting = event.archive;
        },
        codeOf: (error) => String((error as { code?: unknown }).code ?? error),
        isFinal: () => false,
        async withDevice(work) {
          open += 1;
          expect(open).toBe(1);
          try {
            if (nowMs < outUntilMs) throw new ClientError('offline', 'no answer');
            return await work(connected);
          } finally {
            open -= 1;
          }
        },
      };
      await runAgent(options);
      // The machine is off for a while.
      if (dayMs <= untilMs) await pass(below(30) * HOUR_MS);
    }
  }

  return {
    events,
    source,
    /** Goes through days with faults, and through some without at the end. */
    async go(days: number): Promise<void> {
      await live(START_MS + days * DAY_MS);
      faults = false;
      [outUntilMs, fullUntilMs, awayUntilMs] = [0, 0, 0];
      await mount();
      nowMs = Math.max(nowMs, dayMs - DAY_MS);
      await live(dayMs + DAY_MS);
    },
    get toldThrough() {
      return toldThrough;
    },
    get kills() {
      return kills;
    },
    expectEverywhere,
  };
}

async function archivesIn(place: string): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(place, { withFileTypes: true })) {
    const isWhole = entry.isDirectory() && (await signedIn(folderDestination(join(place, entry.name)), true));
    if (isWhole) names.push(entry.name);
  }
  return names;
}

async function signedIn(files: Destination): Promise<SignedManifest>;
async function signedIn(files: Destination, mayBeMissing: true): Promise<SignedManifest | null>;
async function signedIn(files: Destination, mayBeMissing = false): Promise<SignedManifest | null> {
  try {
    return await readSignedManifest(files);
  } catch (error) {
    if (mayBeMissing) return null;
    throw error;
  }
}
