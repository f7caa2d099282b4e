import { leafHash, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  assembleNote,
  changedHeads,
  checkpointText,
  cosignature,
  deviceKey,
  EMPTY_MAP_ROOT,
  logSignature,
  memberKey,
  organisationKey,
  originOf,
  proveLookup,
  replay,
  updateMap,
  type DirectoryState,
  type HeadName,
  type MapCheckpoint,
  type Policy,
  type ProofSource,
} from '@keytide/key-directory';
import { seededRandom, seededWorld, type SeededDevice, type SeededWorld } from '@keytide/testkit';
import { NodeStore } from '../map/node-store.ts';
import { TileStore } from '../tree/tile-store.ts';

export const HOUR = 3600;

/** The key of the relay in these tests. */
export const relay: Signer = primitives.signer(seededRandom('relay of the shown log')(32));

/** An organisation whose policy asks for `needed` witnesses within an hour. */
export function witnessedWorld(options: {
  seed: string;
  members: number;
  admins: number;
  needed?: number;
  devicesPerMember?: number;
}): SeededWorld {
  const { needed = 2, ...rest } = options;
  const policy: Policy = {
    blockSeconds: 86_400,
    retentionSeconds: 86_400,
    exportSeconds: 86_400,
    relayKey: relay.publicKey,
    witnesses: { needed, maxAgeSeconds: HOUR },
  };
  return seededWorld({ ...rest, policy });
}

/** The admin devices of a world with its founder's first. */
export function nowSeconds(world: SeededWorld): number {
  return Math.floor(world.clock.now() / 1000);
}

/** What a relay shows of a log: all sizes of it, signed. Counts what it is asked. */
export class ShownLog implements ProofSource {
  readonly #tiles = new TileStore();
  readonly #nodes = new NodeStore();
  readonly #mapRoots: Uint8Array[] = [EMPTY_MAP_ROOT];
  readonly #wires: Uint8Array[] = [];
  readonly #states: (DirectoryState | null)[] = [null];
  asked = 0;

  /** Takes what the world's log has more. */
  async grow({ wires }: SeededWorld): Promise<this> {
    for (const wire of wires.slice(this.#wires.length)) await this.append(wire);
    return this;
  }

  async append(wire: Uint8Array, alter: Alter = (items) => items): Promise<void> {
    const before = this.#states.at(-1) ?? null;
    const after = replay(primitives, [wire], before);
    const root = this.#mapRoots.at(-1) as Uint8Array;
    const items = alter(changedHeads(primitives, before, after), after);
    this.#mapRoots.push(this.#nodes.keep(await updateMap(primitives, this.#nodes, root, items)));
    this.#tiles.append(primitives, [leafHash(primitives, wire)]);
    this.#wires.push(wire);
    this.#states.push(after);
  }

  get size(): number {
    return this.#wires.length;
  }

  checkpoint(size: number = this.size): MapCheckpoint {
    const { org, root } = this.#states[size] as DirectoryState;
    return { origin: originOf(org), size, root, mapRoot: this.#mapRoots[size] as Uint8Array };
  }

  /** A signed note, cosigned by these devices at that time. */
  note(
    cosigners: readonly SeededDevice[],
    timeSeconds: number,
    checkpoint: MapCheckpoint = this.checkpoint(),
    signer: Signer = relay,
  ): Uint8Array {
    return assembleNote(checkpointText(checkpoint), [
      logSignature(primitives, signer, checkpoint),
      ...cosigners.map((device) => cosignature(primitives, device.signer, checkpoint, timeSeconds)),
    ]);
  }

  readTile: ProofSource['readTile'] = (tile) => {
    this.asked += 1;
    return this.#tiles.readTile(tile);
  };

  readLookup = (name: HeadName, size: number): Promise<Uint8Array> => {
    this.asked += 1;
    return proveLookup(primitives, this.#nodes, this.#mapRoots[size] as Uint8Array, keyOf(name));
  };

  readEntry = (index: number): Promise<Uint8Array | null> => {
    this.asked += 1;
    return Promise.resolve(this.#wires[index] ?? null);
  };
}

type Alter = (
  items: ReturnType<typeof changedHeads>,
  state: DirectoryState,
) => ReturnType<typeof changedHeads>;

function keyOf(name: HeadName): Uint8Array {
  if (name.of === 'organisation') return organisationKey(primitives);
  return name.of === 'member' ? memberKey(primitives, name.id) : deviceKey(primitives, name.id);
}

/** What a source answers, in the order in which it was asked; `alter` makes another answer of it. */
export function answering(
  source: ProofSource,
  alter: (answer: Uint8Array | null, at: number) => Uint8Array | null,
): ProofSource & { answers: (Uint8Array | null)[] } {
  const answers: (Uint8Array | null)[] = [];
  const pass = async <T extends Uint8Array | null>(promise: Promise<T>): Promise<T> => {
    const at = answers.push(null) - 1;
    answers[at] = await promise;
    return alter(answers[at], at) as T;
  };
  return {
    answers,
    readTile: (tile) => pass(source.readTile(tile)),
    readLookup: (name, size) => pass(source.readLookup(name, size)),
    readEntry: (index) => pass(source.readEntry(index)),
  };
}

/** The code with which a promise is refused; `null` when it is not. */
export async function refusalOf<T>(promise: Promise<T>): Promise<string | null> {
  return await promise.then(
    () => null,
    (error: { code?: string }) => {
      if (error.code === undefined) throw error;
      return error.code;
    },
  );
}
