/* oxlint-disable oxc/no-async-endpoint-handlers -- that rule is about Express; Fastify awaits its handlers */
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
  sealingRecordRequest,
  sealingRecordsQuery,
} from '@keytide/relay-protocol';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import { acceptCosignature, cosignedNote } from './cosignatures.ts';
import type { DirectoryStore, StoredCheckpoint } from './directory-store.ts';
import { RelayError } from './errors.ts';
import { hex32, type Entered, type Gate } from './gate.ts';
import { mapRootOf, waysOf } from './log-growth.ts';
import { parsed } from './parsed.ts';
import { acceptSealingRecord } from './sealing-records.ts';

/** What the routes of the directory work with. */
export interface DirectoryRoutesOptions {
  readonly store: DirectoryStore;
  readonly gate: Gate;
  readonly primitives: Primitives;
  readonly clock: Clock;
}

const ORG = '/v1/organisations/:org';
const memberParams = z.object({ id: z.string().regex(/^[0-9a-f]{32}$/) });
const deviceParams = z.object({ id: hex32 });
const tileParams = z.object({ '*': z.string() });

/** Checkpoints, tiles, lookups and sealing records (docs/spec/directory-service.md). */
export function addDirectoryRoutes(app: FastifyInstance, options: DirectoryRoutesOptions): void {
  const { store, gate, primitives, clock } = options;

  app.get(`${ORG}/log/checkpoint`, async (request, reply) => {
    return sendText(reply, await noteAt(store, await gate.subject(request), request.query));
  });

  app.get(`${ORG}/log/checkpoint/witnessed`, async (request, reply) => {
    const { org, readsUpTo } = await gate.subject(request);
    const checkpoint = await store.readCheckpoint(org, 'witnessed');
    if (checkpoint === null || !isWithin(readsUpTo, checkpoint))
      throw new RelayError('no-checkpoint', 'no device has cosigned a checkpoint');
    return sendText(reply, cosignedNote(checkpoint));
  });

  app.get(`${ORG}/log/cosignatures`, async (request) => {
    const { org, readsUpTo } = await gate.subject(request);
    const checkpoints = (await store.readCosigned(org)).filter((each) => isWithin(readsUpTo, each));
    return { notes: checkpoints.map((checkpoint) => decodeUtf8(cosignedNote(checkpoint))) };
  });

  app.post(`${ORG}/log/cosignatures`, async (request, reply) => {
    const device = await gate.admin(request);
    const { note } = parsed(cosignatureRequest, request.body);
    const size = await acceptCosignature({ store, primitives, nowMs: clock.now() }, device, note);
    return reply.code(201).send({ size });
  });

  app.get(`${ORG}/log/tile/*`, async (request, reply) => {
    const entered = await gate.subject(request);
    const tile = await readTile(store, entered, `tile/${parsed(tileParams, request.params)['*']}`);
    return reply.type('application/octet-stream').send(Buffer.from(tile));
  });

  app.get(`${ORG}/directory/members/:id`, async (request) => {
    const entered = await gate.subject(request);
    const id = memberId(parsed(memberParams, request.params).id);
    return lookup({ store, primitives, entered }, request.query, memberKey(primitives, id));
  });

  app.get(`${ORG}/directory/devices/:id`, async (request) => {
    const entered = await gate.subject(request);
    const id = deviceId(parsed(deviceParams, request.params).id);
    return lookup({ store, primitives, entered }, request.query, deviceKey(primitives, id));
  });

  app.get(`${ORG}/directory/organisation`, async (request) => {
    const entered = await gate.subject(request);
    return lookup({ store, primitives, entered }, request.query, organisationKey(primitives));
  });

  app.post(`${ORG}/sealing-records`, async (request, reply) => {
    const device = await gate.device(request);
    const { record } = parsed(sealingRecordRequest, request.body);
    const seq = await acceptSealingRecord({ store, primitives, nowMs: clock.now() }, device, record);
    return reply.code(201).send({ seq });
  });

  app.get(`${ORG}/sealing-records`, async (request) => {
    const { org } = await gate.device(request);
    const { after } = parsed(sealingRecordsQuery, request.query);
    const { records, more } = await store.listSealingRecords(org, after);
    return {
      records: records.map(({ device, wire }) => ({ device, record: toBase64Url(wire) })),
      next: records[records.length - 1]?.seq ?? after,
      more,
    };
  });
}

/** Who reads, and how much of the log. */
type Reader = Pick<Entered, 'org' | 'readsUpTo'>;

/** The checkpoint of the size that is asked for, or the newest that is theirs. @throws RelayError `not-found`, `malformed` */
async function noteAt(
  store: DirectoryStore,
  { org, readsUpTo }: Reader,
  query: unknown,
): Promise<Uint8Array> {
  const newest = readsUpTo === Infinity ? 'newest' : readsUpTo;
  const { size = newest } = parsed(checkpointQuery, query);
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
    entered,
  }: Pick<DirectoryRoutesOptions, 'store' | 'primitives'> & { readonly entered: Reader },
  query: unknown,
  key: Uint8Array,
): Promise<{ checkpoint: string | null; lookup: string }> {
  const { org } = entered;
  const note = await noteAt(store, entered, query);
  const root = mapRootOf(note) ?? EMPTY_MAP_ROOT;
  const proof = await proveLookup(primitives, await waysOf(store, org, root, [key]), root, key);
  return { checkpoint: decodeUtf8(note), lookup: toBase64Url(proof) };
}

function sendText(reply: FastifyReply, note: Uint8Array): FastifyReply {
  return reply.type('text/plain; charset=utf-8').send(Buffer.from(note));
}
