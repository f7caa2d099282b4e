import { equalBytes, parseEpochStatement, rootOf, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  createExportStatement,
  createPolicyChange,
  replay,
  signDeletionStatement,
  type Policy,
} from '@keytide/key-directory';
import {
  exportArchive,
  readSignedManifest,
  type ArchiveFilter,
  type GivenArchive,
  type LedgerMaterial,
  type LogBlock,
} from '../../src/index.ts';
import { optionsFor, said } from '../exporting.ts';
import { memoryDestination } from '../memory-destination.ts';
import { worldSource } from '../world-source.ts';

export const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2030, 0, 1);
/** When a day begins, and a little. */
export const dayMs = (day: number): number => START_MS + day * DAY_MS + 3_600_000;
const relaySigner = primitives.signer(new Uint8Array(32).fill(9));
/** Y is eight days; what nobody has exported stays. */
export const POLICY: Policy = {
  ...{ blockSeconds: 86_400, retentionSeconds: 3 * 86_400, exportSeconds: 8 * 86_400 },
  relayKey: relaySigner.publicKey,
};

/** What is said differently. */
interface Change {
  readonly signer?: Signer;
  readonly root?: Uint8Array;
  readonly org?: string;
  readonly group?: string;
}

/** An organisation of two admins and a member, whose log has a statement and a message on each of so many days. */
export async function ledgerWorld(seed: string, days: number, text = 'day') {
  const source = worldSource(seed, 3);
  const { world } = source;
  const [ada] = world.members;
  const setPolicy = (policy: Policy): void =>
    void world.append(createPolicyChange({ ...world.as(ada.devices[0]), policy }));
  setPolicy(POLICY);
  for (let day = 0; day < days; day += 1) await source.day([said(day % 2, day, { text: `${text} ${day}` })]);

  const rootAt = (seq: number): Uint8Array | null =>
    seq > source.log.length ? null : rootOf(primitives, source.treeAt(seq));
  const blocks = source.log.flatMap((entry): LogBlock[] => {
    if (entry.kind !== 'statement') return [];
    const { blockStartMs: startMs, blockEndMs: endMs } = parseEpochStatement(primitives, entry.wire);
    return [{ firstSeq: entry.seq, startMs, endMs }];
  });
  const own = { org: world.org, group: world.state.everyone };

  return {
    source,
    world,
    setPolicy,
    rootAt,
    /** The log as it is, on the day before which all of it was written; nothing else was given. */
    material(change: Partial<LedgerMaterial> = {}): LedgerMaterial {
      const directory = {
        ...{ size: world.wires.length, state: world.state },
        stateAt: (size: number) => replay(primitives, world.wires.slice(0, size)),
        wires: (start: number) => world.wires.slice(start),
      };
      return {
        ...{
          primitives,
          directory,
          nowMs: dayMs(days),
          archives: [],
          exported: [],
          deleted: [],
          relay: null,
        },
        log: { blocks, throughSeq: source.log.length, rootAt },
        ...change,
      };
    },
    /** A member's word that the log is exported. */
    says(by: number, throughSeq: number, exportedMs: number, change: Change = {}): Uint8Array {
      const device = (world.members[by] ?? ada).devices[0];
      const root = rootAt(throughSeq) ?? new Uint8Array(32);
      const fields = { ...own, throughSeq, root, device: device.id, exportedMs, ...change };
      return createExportStatement(
        primitives,
        change.signer ?? device.signer,
        fields as typeof fields & typeof own,
      );
    },
    /** The relay's word that it has deleted a part of it. */
    receipt(firstSeq: number, lastSeq: number, deletedMs: number, change: Change = {}): Uint8Array {
      const root = rootAt(lastSeq) ?? new Uint8Array(32);
      const fields = { ...own, firstSeq, lastSeq, root, deletedMs, ...change };
      return signDeletionStatement(
        primitives,
        change.signer ?? relaySigner,
        fields as typeof fields & typeof own,
      );
    },
    /** An archive by the founder of what there is, or of what came since another one. */
    async archive({ since, filter = null }: { since?: GivenArchive; filter?: ArchiveFilter | null } = {}) {
      const destination = memoryDestination();
      await exportArchive({
        ...optionsFor(source, destination),
        ...{ now: () => world.clock.now(), since: since?.signed ?? null, filter },
      });
      const signed = await readSignedManifest(destination);
      return { signed, verdict: 'sound', isWhole: true } as const satisfies GivenArchive;
    },
  };
}

export type LedgerWorld = Awaited<ReturnType<typeof ledgerWorld>>;

export function isIn(wire: Uint8Array, wires: readonly Uint8Array[]): boolean {
  return wires.some((one) => equalBytes(one, wire));
}
