import type { Address } from './address.ts';

/** Where a relay keeps its data (docs/spec/relay-storage.md) and its key (docs/spec/directory-service.md). */
export type DatabaseOptions =
  /**
   * The embedded default: single-node, survives the end of the process, is not safe against a power cut. The
   * keys are `relay-key` and `data-key` in the folder, blobs in `blobs`. A folder without a database begins with the
   * `template` of one in memory, if that file is there.
   */
  | { readonly kind: 'pglite'; readonly folder: string; readonly template?: string | undefined }
  /**
   * For production. `url` as libpq takes it: postgres://user:password@host:port/name; or a function that answers with it,
   * so that another password counts for the connections from then on. The keys are in
   * `keyFile` and `keyFile`.data, which are made at the first start and to be kept like the database;
   * blobs are in `blobFolder`, by default `blobs` beside it.
   */
  | {
      readonly kind: 'postgres';
      readonly url: Address;
      readonly keyFile: string;
      readonly blobFolder?: string;
      /** How long PostgreSQL may take for a statement before it counts as failed. Default 15 seconds. */
      readonly answerMs?: number;
      /** Other relays serve this database too, each with the same keys, the same public URL and the same blobs. */
      readonly cluster?: ClusterOptions;
    }
  /**
   * Embedded and gone when the process ends, key and all: for tests and demonstrations. `template` is a file of nobody
   * else's with an empty database, which is begun with, several times faster than with none; the first start that does
   * not find it makes it, 40 MB.
   */
  | { readonly kind: 'memory'; readonly template?: string | undefined };

/** How the relays of one database wake each other. What they know they have from the database. */
export interface ClusterOptions {
  /** Redis 6 or newer, as redis://user:password@host:6379 or rediss://…; without it, PostgreSQL's own notifications. */
  readonly redisUrl?: Address;
}

/** The same, as nobody shares it: nodes share a database with each other, and what is put back with none of them. */
export function alone<Options extends DatabaseOptions>(options: Options): Options {
  if (options.kind !== 'postgres') return options;
  const { cluster: _others, ...rest } = options;
  return rest as Options;
}
