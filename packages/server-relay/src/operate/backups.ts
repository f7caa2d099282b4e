import { backUp, type BackUpOptions } from '../backup/back-up.ts';
import { restore } from '../backup/restore.ts';
import { blobFolderOf } from '../blob-store.ts';
import { dataKeyPath, openDataKeyFile } from '../data-key-file.ts';
import type { KeyWrapper } from '../key-wrapper.ts';
import { openWrappingKeys } from '../keys/open-wrapping-keys.ts';
import { relayOptionsOf, wrappingKeysOf } from './config-options.ts';
import type { Config } from './config-schema.ts';

type Print = (line: object) => void;

/** What the command line says of a restore. */
export interface RestoreChoice {
  readonly from: string;
  readonly generation?: string;
  readonly replace?: true;
}

/** Makes a backup and says how far it is, a line each. @throws RelayError as `backUp` */
export async function runBackUp(config: Config, folder: string, print: Print): Promise<0> {
  const progress = (done: object): void => print({ event: 'backing-up', ...done });
  const made = await backUp({ ...kept(config), folder, nowMs: Date.now(), progress });
  print({ event: 'backed-up', ...made });
  return 0;
}

/** Puts a backup back. @throws RelayError as `restore` and `openWrappingKeys` */
export async function runRestore(
  config: Config,
  { from: folder, generation, replace }: RestoreChoice,
  print: Print,
): Promise<0> {
  const { database, blobFolder } = kept(config);
  const named = wrappingKeysOf(config);
  let close = (): void => undefined;
  async function openWrapper(): Promise<KeyWrapper> {
    if (named === null) return openDataKeyFile(dataKeyPath(database));
    const keys = await openWrappingKeys({ ...named, environment: process.env });
    ({ close } = keys);
    return keys.wrapper;
  }
  const rows = new Map<string, number>();
  const progress = (done: { table: string; rows: number }): void => {
    const before = rows.get(done.table) ?? 0;
    rows.set(done.table, before + done.rows);
    // A line for each table, and for each so many rows of it.
    if (Math.floor(before / TOLD_ROWS) !== Math.floor((before + done.rows) / TOLD_ROWS) || before === 0)
      print({ event: 'restoring', table: done.table, rows: before + done.rows });
  };
  const chosen = generation === undefined ? {} : { generation };
  const mayReplace = replace === true;
  const options = {
    database,
    blobFolder,
    openWrapper,
    folder,
    mayReplace,
    nowMs: Date.now(),
    progress,
    ...chosen,
  };
  const done = await restore(options).finally(() => close());
  print({ event: 'restored', ...done });
  return 0;
}

const TOLD_ROWS = 100_000;

function kept(config: Config): Pick<BackUpOptions, 'database' | 'blobFolder'> {
  const { database } = relayOptionsOf(config);
  if (database.kind === 'memory') throw new TypeError('a configuration names a database that is kept');
  return { database, blobFolder: config.s3Bucket === undefined ? blobFolderOf(database) : null };
}
