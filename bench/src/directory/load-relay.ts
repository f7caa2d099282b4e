import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  appendLeaf,
  concatBytes,
  EMPTY_FRONTIER,
  fromHex,
  idBytes,
  leafHash,
  rootOf,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  appendToTiles,
  assembleNote,
  checkpointText,
  EMPTY_EDGE,
  logSignature,
  originOf,
  type DirectoryState,
  type LogCheckpoint,
  type StoredNode,
  type Tile,
} from '@keytide/key-directory';
import { openStore } from '@keytide/server-relay';
import {
  integerArray,
  startsOf,
  type SqlRunner,
  type SqlValue,
} from '../../../packages/server-relay/src/sql/database.ts';
import { openDatabase } from '../../../packages/server-relay/src/sql/open.ts';
import type { Secrets } from './organisation.ts';

/** A log with all that it is proved by. */
export interface LoadedLog {
  readonly state: DirectoryState;
  readonly mapRoot: Uint8Array;
  readonly nodes: readonly StoredNode[];
  readonly readWires: (start: number, end: number) => readonly Uint8Array[];
}

const ROWS = 2_000;

/**
 * Makes the folder of a relay that holds this log, as if it had taken entry by entry, but for the map of
 * earlier sizes. What comes out is checked by whoever logs in. Answers the tiles of the tree,
 * and the checkpoint with its note.
 */
export async function loadRelay(
  folder: string,
  { org, relaySeed }: Secrets,
  { state, mapRoot, nodes, readWires }: LoadedLog,
): Promise<{ tiles: readonly Tile[]; checkpoint: LogCheckpoint; note: Uint8Array }> {
  const options = { kind: 'pglite', folder } as const;
  const { store } = await openStore(options, primitives, Date.now());
  await store.close();
  const seed = fromHex(relaySeed) as Uint8Array;
  writeFileSync(join(folder, 'relay-key'), seed, { mode: 0o600 });
  const signer = primitives.signer(seed);
  const signed = (checkpoint: LogCheckpoint): Uint8Array =>
    assembleNote(checkpointText(checkpoint), [logSignature(primitives, signer, checkpoint)]);
  const origin = originOf(org);
  const checkpoint = { origin, size: state.size, root: state.root, mapRoot };
  const note = signed(checkpoint);

  const database = await openDatabase(options);
  const leaves: Uint8Array[] = [];
  const tiles = await database.transaction(async (runner) => {
    const key = idBytes(org);
    await runner.query('insert into organisations values ($1, $2, $3, 0)', [key, state.size, Date.now()]);
    await runner.query('insert into checkpoints values ($1, $2, $3)', [key, state.size, note]);
    let frontier = EMPTY_FRONTIER;
    for (let start = 0; start < state.size; start += ROWS) {
      const wires = readWires(start, Math.min(start + ROWS, state.size));
      await insert(runner, 'log_entries', [key, start], wires);
      const notes = wires.map((wire) => {
        const leaf = leafHash(primitives, wire);
        leaves.push(leaf);
        frontier = appendLeaf(primitives, frontier, leaf);
        const root = rootOf(primitives, frontier);
        return signed({ origin, size: frontier.size, root, mapRoot: null });
      });
      const isEnd = start + wires.length === state.size;
      await insert(runner, 'checkpoints', [key, start + 1], isEnd ? notes.slice(0, -1) : notes);
    }
    const written = appendToTiles(primitives, EMPTY_EDGE, leaves).tiles;
    for (const { level, index, hashes } of written)
      await runner.query(
        `insert into tree_hashes select $1::bytea, $2::int, $3::bigint * 256 + n - 1, substring($4::bytea from n * 32 - 31 for 32)
         from generate_series(1, octet_length($4::bytea) / 32) n`,
        [key, level, index, hashes],
      );
    for (let start = 0; start < nodes.length; start += ROWS) {
      const part = nodes.slice(start, start + ROWS);
      const hashes = part.map(({ hash }) => hash);
      const bytes = part.map((node) => node.bytes);
      await insert(runner, 'map_nodes', [key, concatBytes(...hashes)], bytes);
    }
    return written;
  });
  await database.close();
  return { tiles, checkpoint, note };
}

const SECOND_COLUMN = {
  checkpoints: '$2::bigint + p.ord - 1',
  log_entries: '$2::bigint + p.ord - 1',
  map_nodes: 'substring($2::bytea from p.ord::int * 32 - 31 for 32)',
} as const;

/** Rows of organisation, second column and bytes. */
async function insert(
  runner: SqlRunner,
  table: keyof typeof SECOND_COLUMN,
  first: readonly [Uint8Array, SqlValue],
  parts: readonly Uint8Array[],
): Promise<void> {
  const sizes = parts.map(({ length }) => length);
  await runner.query(
    `insert into ${table} select $1::bytea, ${SECOND_COLUMN[table]}, substring($3::bytea from p.start for p.size)
     from unnest($4::int[], $5::int[]) with ordinality as p(start, size, ord)`,
    [...first, concatBytes(...parts), integerArray(startsOf(sizes)), integerArray(sizes)],
  );
}
