import { decodeUtf8, deviceId, memberId, toBase64Url, type Primitives } from '@keytide/crypto-core';
import {
  deviceKey,
  EMPTY_MAP_ROOT,
  entryBundle,
  memberKey,
  organisationKey,
  parseCheckpointText,
  parseNote,
  parseTilePath,
  proveLookup,
  TILE_WIDTH,
} from '@keytide/key-directory/verify';
import {
  checkpointQuery,
  cosignatureRequest,
  cosignatureResponse,
  cosignedResponse,
  lookupResponse,
  sealingRecordRequest,
  sealingRecordResponse,
  sealingRecordsQuery,
  sealingRecordsResponse,
} from '@keytide/relay-protocol';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import { acceptCosignature, cosignedNote } from './cosignatures.ts';
import type { Routes } from './create-routes.ts';
import type { DirectoryStore, StoredCheckpoint } from './directory-store.ts';
import { RelayError } from './errors.ts';
import { hex32, type Entered } from './gate.ts';
import { mapRootOf, waysOf } from './log-growth.ts';
import { plainText, rawBytes } from './route.ts';
import { acceptSealingRecord } from './sealing-records.ts';

/** What the routes of the directory work with. */
export interface DirectoryRoutesOptions {
  readonly store: DirectoryStore;
  readonly primitives: Primitives;
  readonly clock: Clock;
}

const ORG = '/v1/organisations/:org';
const memberParams = z.object({
  id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .meta({ description: '16 bytes as hex' }),
});
const deviceParams = z.object({ id: hex32 });
const tileParams = z.object({
  '*': z.string().meta({ description: 'LEVEL/INDEX[.p/WIDTH], slashes as they are (C2SP tlog-tiles)' }),
});

/** Checkpoints, tiles, lookups and sealing records (docs/spec/directory-service.md). */
export function addDirectoryRoutes(routes: Routes, options: DirectoryRoutesOptions): void {
  const { store, primitives, clock } = options;

  routes.add(
    {
      method: 'get',
      path: `${ORG}/log/checkpoint`,
      who: 'subject',
      summary: 'A checkpoint of the membership log, a signed note',
      query: checkpointQuery,
      answer: plainText,
      refusals: ['not-found'],
    },
    ({ caller, query: { size } }) => noteAt(store, caller, size),
  );

  routes.add(
    {
      method: 'get',
      path: `${ORG}/log/checkpoint/witnessed`,
      who: 'subject',
      summary: 'The newest checkpoint with a cosignature',
      answer: plainText,
      refusals: ['no-checkpoint'],
    },
    async ({ caller: { org, readsUpTo } }) => {
      const checkpoint = await store.readCheckpoint(org, 'witnessed');
      if (checkpoint === null || !isWithin(readsUpTo, checkpoint))
        throw new RelayError('no-checkpoint', 'no device has cosigned a checkpoint');
      return cosignedNote(checkpoint);
    },
  );

  routes.add(
    {
      method: 'get',
      path: `${ORG}/log/cosignatures`,
      who: 'subject',
      summary: 'Of each device that has cosigned, the newest checkpoint it did',
      answer: cosignedResponse,
    },
    async ({ caller: { org, readsUpTo } }) => {
      const checkpoints = (await store.readCosigned(org)).filter((each) => isWithin(readsUpTo, each));
      return { notes: checkpoints.map((checkpoint) => decodeUtf8(cosignedNote(checkpoint))) };
    },
  );

  routes.add(
    {
      method: 'post',
      path: `${ORG}/log/cosignatures`,
      who: 'admin',
      summary: "Hands in a checkpoint with the calling device's cosignature",
      body: cosignatureRequest,
      answer: cosignatureResponse,
      status: 201,
      refusals: ['entry-refused'],
    },
    async ({ caller, body: { note } }) => ({
      size: await acceptCosignature({ store, primitives, nowMs: clock.now() }, caller, note),
    }),
  );

  routes.add(
    {
      method: 'get',
      path: `${ORG}/log/tile/*`,
      who: 'subject',
      summary: "A tile of the membership log's tree, or a bundle of its entries",
      params: tileParams,
      answer: rawBytes,
      refusals: ['not-found'],
    },
    ({ caller, params }) => readTile(store, caller, `tile/${params['*']}`),
  );

  for (const [of, params, keyIn] of [
    ['members', memberParams, (id: string) => memberKey(primitives, memberId(id))],
    ['devices', deviceParams, (id: string) => deviceKey(primitives, deviceId(id))],
  ] as const)
    routes.add(
      {
        method: 'get',
        path: `${ORG}/directory/${of}/:id`,
        who: 'subject',
        summary: `What the directory holds of one of the ${of}, with its proof`,
        params,
        query: checkpointQuery,
        answer: lookupResponse,
        refusals: ['not-found'],
      },
      ({ caller, params: { id }, query: { size } }) => lookup({ store, primitives, caller }, size, keyIn(id)),
    );

  routes.add(
    {
      method: 'get',
      path: `${ORG}/directory/organisation`,
      who: 'subject',
      summary: 'What the directory holds of the organisation itself, with its proof',
      query: checkpointQuery,
      answer: lookupResponse,
      refusals: ['not-found'],
    },
    ({ caller, query: { size } }) => lookup({ store, primitives, caller }, size, organisationKey(primitives)),
  );

  routes.add(
    {
      method: 'post',
      path: `${ORG}/sealing-records`,
      who: 'device',
      summary: "Hands in the calling device's next sealing record",
      body: sealingRecordRequest,
      answer: sealingRecordResponse,
      status: 201,
      refusals: ['record-refused', 'unsupported-version'],
    },
    async ({ caller, body: { record } }) => ({
      seq: await acceptSealingRecord({ store, primitives, nowMs: clock.now() }, caller, record),
    }),
  );

  routes.add(
    {
      method: 'get',
      path: `${ORG}/sealing-records`,
      who: 'device',
      summary: 'Sealing records of all devices, in the order in which they came',
      query: sealingRecordsQuery,
      answer: sealingRecordsResponse,
    },
    async ({ caller: { org }, query: { after } }) => {
      const { records, more } = await store.listSealingRecords(org, after);
      return {
        records: records.map(({ device, wire }) => ({ device, record: toBase64Url(wire) })),
        next: records[records.length - 1]?.seq ?? after,
        more,
      };
    },
  );
}

/** Who reads, and how much of the log. */
type Reader = Pick<Entered, 'org' | 'readsUpTo'>;

/** The checkpoint of the size that is asked for, or the newest that is theirs. @throws RelayError `not-found`, `malformed` */
async function noteAt(
  store: DirectoryStore,
  { org, readsUpTo }: Reader,
  size: number | 'newest' = readsUpTo === Infinity ? 'newest' : readsUpTo,
): Promise<Uint8Array> {
  const checkpoint = size !== 'newest' && size > readsUpTo ? null : await store.readCheckpoint(org, size);
  if (checkpoint !== null) return cosignedNote(checkpoint);
  if (size === 'newest') throw new RelayError('database-failed', 'a log without its checkpoint');
  throw new RelayError('not-found', 'the log has no checkpoint of this size');
}

function isWithin(readsUpTo: number, { note }: StoredCheckpoint): boolean {
  return readsUpTo === Infinity || parseCheckpointText(parseNote(note).text).size <= readsUpTo;
}

async function readTile(
  store: DirectoryStore,
  { org, readsUpTo }: Reader,
  path: string,
): Promise<Uint8Array> {
  const tile = parseTilePath(path);
  if (tile === null) throw new RelayError('not-found', 'no such tile');
  const { level, index, width } = tile;
  const entries = (index * TILE_WIDTH + width) * TILE_WIDTH ** (level === 'entries' ? 0 : level);
  if (entries > readsUpTo) throw new RelayError('not-found', 'the log does not have this tile yet');
  if (level !== 'entries') {
    const hashes = await store.readTile(org, { level, index, width });
    if (hashes !== null) return hashes;
  } else {
    const wires = await store.readBundle(org, { index, width });
    if (wires !== null) return entryBundle(wires);
  }
  throw new RelayError('not-found', 'the log does not have this tile yet');
}

/** Both of one moment: the proof is under the root of the checkpoint that it comes with, which may be an old one. */
async function lookup(
  {
    store,
    primitives,
    caller,
  }: Pick<DirectoryRoutesOptions, 'store' | 'primitives'> & { readonly caller: Reader },
  size: number | undefined,
  key: Uint8Array,
): Promise<{ checkpoint: string | null; lookup: string }> {
  const { org } = caller;
  const note = await noteAt(store, caller, size);
  const root = mapRootOf(note) ?? EMPTY_MAP_ROOT;
  const proof = await proveLookup(primitives, await waysOf(store, org, root, [key]), root, key);
  return { checkpoint: decodeUtf8(note), lookup: toBase64Url(proof) };
}
