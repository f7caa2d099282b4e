import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceId, equalBytes, leafHash, memberId, toBase64Url, toHex } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import {
  deviceKey,
  headsOf,
  mapRoot,
  memberKey,
  parseCheckpointText,
  parseDeviceHead,
  parseMemberHead,
  parseNote,
  parseOrganisationHead,
  proveConsistency,
  proveInclusion,
  replay,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '@keytide/key-directory';
import { startRelay, type DatabaseOptions, type Relay } from '@keytide/server-relay';
import {
  folderDatabase,
  type SeededDevice,
  seededWorld,
  type SeededWorld,
  startPostgres,
} from '@keytide/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { directoryReader, fetchBytes, keyOf, type DirectoryReader } from './directory-reader.ts';
import { nextEntries } from './random-history.ts';
import { appendLog, call, settle, tokenOf } from './relay-under-test.ts';

interface Place {
  readonly database: DatabaseOptions;
  remove(): Promise<void>;
}

async function onPglite(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-directory-'));
  return {
    database: folderDatabase(folder),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function onPostgres(): Promise<Place> {
  const postgres = await startPostgres();
  const { database, remove } = await onPglite();
  const keyFile = join((database as { folder: string }).folder, 'key');
  return {
    database: { kind: 'postgres', url: postgres.url, keyFile },
    remove: () => Promise.all([postgres.stop(), remove()]).then(() => undefined),
  };
}

describe.each([
  ['PGlite', onPglite],
  ['PostgreSQL', onPostgres],
])('the directory on %s', (name, open) => {
  const seed = `directory on ${name}`;
  let place: Place;
  let relay: Relay;
  let world: SeededWorld;
  let founder: SeededDevice;
  let token: string;
  let reader: DirectoryReader;

  async function start(isNew: boolean): Promise<void> {
    relay = await startRelay({ database: place.database, port: 0, clock: world.clock, log: () => {} });
    token = isNew ? await settle(relay, world) : await tokenOf(relay, world.org, founder);
    reader = await directoryReader(relay, world.org, token);
  }

  beforeAll(async () => {
    // 247 entries: the history goes on over the edge of the first tile.
    world = seededWorld({ seed, members: 124 });
    founder = world.members[0].devices[0];
    place = await open();
    await start(true);
  }, 120_000);
  afterAll(async () => {
    await relay?.close();
    await place?.remove();
  });

  /** Everything that can be said of the log as it is now. */
  async function verifyAll(): Promise<void> {
    const { state, wires } = world;
    const { size, root } = state;
    const checkpoint = await reader.checkpoint();
    expect(checkpoint.size, seed).toBe(size);
    expect(toHex(checkpoint.root)).toBe(toHex(root));
    const heads = headsOf(nodePrimitives, state);
    expect(toHex(checkpoint.mapRoot as Uint8Array)).toBe(toHex(mapRoot(nodePrimitives, heads)));
    expect(toHex(await treeRoot(nodePrimitives, reader.source, size))).toBe(toHex(root));

    const at = (bound: number): number => new DataView(world.random(4).buffer).getUint32(0) % bound;
    const index = at(size);
    const leaf = leafHash(nodePrimitives, wires[index] as Uint8Array);
    const path = await proveInclusion(nodePrimitives, reader.source, index, size);
    verifyInclusion(nodePrimitives, { leaf, index, size, root: checkpoint.root }, path);
    const olderSize = 1 + at(size);
    const older = { size: olderSize, root: await treeRoot(nodePrimitives, reader.source, olderSize) };
    const proof = await proveConsistency(nodePrimitives, reader.source, olderSize, size);
    verifyConsistency(nodePrimitives, older, checkpoint, proof);

    const known = heads[at(heads.length)] as (typeof heads)[number];
    for (const { id } of state.devices.values()) {
      if (!equalBytes(deviceKey(nodePrimitives, id), known.key)) continue;
      expect((await reader.device(id)).head).toEqual(known.leaf);
    }
    for (const { id } of state.members.values()) {
      if (!equalBytes(memberKey(nodePrimitives, id), known.key)) continue;
      expect((await reader.member(id)).head).toEqual(known.leaf);
    }
  }

  test('the world it was given can be verified', verifyAll);

  test('a random history can be verified after every entry', async () => {
    for (let step = 0; step < 25; step += 1) {
      for (const wire of nextEntries(world))
        expect((await appendLog(relay, world.org, token, wire)).status, `${seed}, step ${step}`).toBe(201);
      await verifyAll();
    }
    expect(world.state.size).toBeGreaterThan(256);
  });

  test('bundles hold the entries; partial tiles come in every width so far and in no other', async () => {
    const { wires } = world;
    const rest = wires.length - 256;
    expect(await reader.bundle(0, 256)).toEqual(wires.slice(0, 256));
    expect(await reader.bundle(0, 7)).toEqual(wires.slice(0, 7));
    expect(await reader.bundle(1, rest)).toEqual(wires.slice(256));
    const leaves = wires.map((wire) => toHex(leafHash(nodePrimitives, wire)));
    for (const width of [1, rest]) {
      const tile = await reader.source.readTile({ level: 0, index: 1, width });
      expect(toHex(tile as Uint8Array)).toBe(leaves.slice(256, 256 + width).join(''));
    }
    const above = await reader.source.readTile({ level: 1, index: 0, width: 1 });
    expect(toHex(above as Uint8Array)).toBe(toHex(await treeRoot(nodePrimitives, reader.source, 256)));
    for (const path of [
      `0/001.p/${rest + 1}`,
      `entries/001.p/${rest + 1}`,
      '0/001',
      'entries/001',
      '1/000',
      '1/000.p/2',
      '2/000.p/1',
      '0/002.p/1',
      '0/000.p/256',
      '0/000.p/0',
      '0/0',
      '00/000',
      '64/000',
      'x/000',
      '0/x000/000',
      '',
      '0/000/..',
    ])
      expect(
        (await fetchBytes(relay, `/organisations/${world.org}/log/tile/${path}`, token)).status,
        path,
      ).toBe(404);
  });

  test('who was removed or revoked is told as such, and who never was, as absent', async () => {
    const { state } = world;
    const revoked = [...state.devices.values()].find(({ revokedAt }) => revokedAt !== null);
    const { head } = await reader.device(revoked?.id ?? deviceId(world.random(32)));
    expect(parseDeviceHead(head as Uint8Array)).toMatchObject({ role: null, revokedAt: revoked?.revokedAt });
    const member = await reader.member(world.members[0].id);
    expect(parseMemberHead(member.head as Uint8Array)).toMatchObject({ handle: 'member-0', role: 'admin' });
    expect(member.checkpoint.size).toBe(state.size);
    expect((await reader.device(deviceId(world.random(32)))).head).toBeNull();
    expect((await reader.member(memberId(world.random(16)))).head).toBeNull();
  });

  test('every old root can be looked up in, and sizes that never were are refused', async () => {
    const { state, wires } = world;
    const eighth = world.members[7] as (typeof world.members)[0];
    const addedAt = state.members.get(eighth.id)?.addedAt as number;
    for (const size of [addedAt, addedAt + 1, 1, state.size]) {
      const then = replay(nodePrimitives, wires.slice(0, size));
      const { checkpoint, head } = await reader.member(eighth.id, size);
      expect(checkpoint).toMatchObject({ size, root: then.root });
      expect(toHex(checkpoint.mapRoot as Uint8Array)).toBe(
        toHex(mapRoot(nodePrimitives, headsOf(nodePrimitives, then))),
      );
      expect(head === null).toBe(size <= addedAt);
      const organisation = parseOrganisationHead((await reader.organisation(size)).head as Uint8Array);
      expect(organisation.activeDevices).toBe(then.activeDevices);
    }
    expect((await reader.organisation()).checkpoint.size).toBe(state.size);
    const at = `/organisations/${world.org}`;
    const answer = await fetchBytes(relay, `${at}/log/checkpoint?size=2`, token);
    expect(parseCheckpointText(parseNote(answer.bytes).text).size).toBe(2);
    const paths = ['/log/checkpoint', '/directory/organisation', `/directory/devices/${founder.id}`];
    for (const path of paths) {
      for (const [query, code] of [
        ['size=0', 'not-found'],
        [`size=${state.size + 1}`, 'not-found'],
        ['size=9999999999', 'not-found'],
        ['size=x', 'malformed'],
        ['size=', 'malformed'],
        ['sizes=1', 'malformed'],
      ])
        expect((await call(relay, 'GET', `${at}${path}?${query}`, { token })).body.code, path + query).toBe(
          code,
        );
    }
    const entry = await call(relay, 'GET', `${at}/log?from=9&count=1`, { token });
    expect(entry.body).toEqual({ entries: [toBase64Url(wires[9] as Uint8Array)], size: state.size });
    expect((await call(relay, 'GET', `${at}/log?from=9&count=0`, { token })).body.code).toBe('malformed');
  });

  test('all of it is there after a restart, under the same key, and grows on', async () => {
    const before = await reader.checkpoint();
    const key = await keyOf(relay);
    await relay.close();
    await start(false);
    expect(toHex(await keyOf(relay))).toBe(toHex(key));
    expect((await reader.checkpoint()).bytes).toEqual(before.bytes);
    await verifyAll();
    for (const wire of nextEntries(world)) await appendLog(relay, world.org, token, wire);
    await verifyAll();
    const after = await reader.checkpoint();
    const proof = await proveConsistency(nodePrimitives, reader.source, before.size, after.size);
    verifyConsistency(nodePrimitives, before, after, proof);
  });

  test('a session of this organisation is asked for everywhere', async () => {
    const other = seededWorld({ seed: `${seed}, other`, members: 1 });
    const otherToken = await settle(relay, other);
    const tile = '/log/tile/0/000.p/1';
    const reads = [
      '/log/checkpoint',
      '/log/checkpoint/witnessed',
      tile,
      `/directory/members/${world.members[0].id}`,
      '/directory/organisation',
    ];
    reads.push(`/directory/devices/${founder.id}`, '/sealing-records?after=0');
    for (const path of reads) {
      const at = `/organisations/${world.org}${path}`;
      for (const bad of [undefined, 'x', otherToken]) {
        const answer = await call(relay, 'GET', at, bad === undefined ? {} : { token: bad });
        expect({ path, status: answer.status, code: answer.body.code }).toEqual({
          path,
          status: 401,
          code: 'session-ended',
        });
      }
    }
    for (const path of ['/log/cosignatures', '/sealing-records']) {
      const at = `/organisations/${world.org}${path}`;
      for (const options of [{ body: {} }, { body: {}, token: otherToken }])
        expect((await call(relay, 'POST', at, options)).body.code).toBe('session-ended');
    }
    // The relay holds both logs and keeps them apart.
    const theirs = await directoryReader(relay, other.org, otherToken);
    expect((await theirs.checkpoint()).size).toBe(1);
    expect((await theirs.device(founder.id)).head).toBeNull();
  });

  test('malformed ids and queries are refused', async () => {
    const at = `/organisations/${world.org}`;
    for (const path of [
      '/directory/members/ABC',
      `/directory/members/${founder.id}`,
      `/directory/devices/${world.members[0].id}`,
      `/directory/devices/${founder.id.toUpperCase()}`,
      '/sealing-records',
      '/sealing-records?after=-1',
      '/sealing-records?after=01',
      '/sealing-records?after=0&more=1',
    ]) {
      const answer = await call(relay, 'GET', at + path, { token });
      expect({ path, status: answer.status, code: answer.body.code }).toEqual({
        path,
        status: 400,
        code: 'malformed',
      });
    }
    const { status, body } = await call(relay, 'GET', `${at}/log/checkpoint/witnessed`, { token });
    expect({ status, code: body.code }).toEqual({ status: 404, code: 'no-checkpoint' });
  });
});
