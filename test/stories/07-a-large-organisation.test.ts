import { deviceId, memberId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  ClientError,
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  openProvenDirectory,
  sensitive,
  type DeviceStore,
  type Ports,
  type ProvenDirectory,
} from '@keytide/client';
import {
  assembleNote,
  checkpointOf,
  checkpointText,
  cosignature,
  createPolicyChange,
  createRoleChange,
  formatInviteLink,
  logSignature,
  openMapNote,
  parseCheckpointText,
  parseInviteLink,
  parseNote,
  verifyForkProof,
  type MapCheckpoint,
} from '@keytide/key-directory';
import type { SeededDevice, SeededMember } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { largeOrganisation, type Alter, type LargeOrganisation } from './large-organisation.ts';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string().min(1) })) });
const replayLimit = 3;
/** Rate limits and the client's patience are for other tests. */
const kept = (): DeviceStore => ({ ...memoryDeviceStore(), close: async () => {} });

let large: LargeOrganisation;
let first: SeededDevice;
let second: SeededDevice;
let third: SeededDevice;
let people: readonly SeededMember[];
/** Of a device that has joined by replaying. */
let store: DeviceStore;
let link: string;

const open = (alter?: Alter, of: Pick<DeviceStore, 'keys'> = store): Promise<ProvenDirectory> =>
  openProvenDirectory({ ports: large.ports(alter), store: of, replayLimit });
const byLink = (of: DeviceStore = kept(), limit = replayLimit): Promise<ProvenDirectory> =>
  openProvenDirectory({ ports: large.ports(), store: of, link, replayLimit: limit });
const failing = async (work: Promise<unknown>): Promise<ClientError> => {
  const error = await work.then(() => null).catch((thrown: unknown) => thrown);
  if (error instanceof ClientError) return error;
  throw error ?? new Error('was not refused');
};
/** A copy of a store: what happens to it happens to nobody else. */
async function copyOf({ keys }: DeviceStore): Promise<DeviceStore> {
  const copy = kept();
  for (const name of await keys.names('')) await copy.keys.write([{ name, value: await keys.get(name) }]);
  return copy;
}

beforeAll(async () => {
  large = await largeOrganisation('a large organisation');
  people = large.world.members;
  [first, second, third] = people.map(({ devices }) => devices[0]) as [
    SeededDevice,
    SeededDevice,
    SeededDevice,
  ];
  store = kept();
  const client = await join({
    definition,
    ports: large.ports(),
    store,
    link: await large.link(first),
    handle: 'light',
  });
  await client.close();
  await large.pull();
  link = await large.link(first);
});

afterAll(() => large?.close());

test('who holds an invite waits for its inviter’s word, and for as many admins as the policy asks for', async () => {
  expect((await failing(byLink())).code).toBe('unwitnessed');
  await large.cosign(second, third);
  expect((await failing(byLink())).code).toBe('unwitnessed');
  large.world.clock.advance(1000);
  await large.cosign(first);
  const directory = await byLink();
  expect(directory.checkpoint.size).toBe(large.world.state.size);
  expect(directory.activeDevices).toBe(6);
  expect(directory.admins).toEqual(large.world.state.actingAdmins);
  expect(directory.policy).toEqual(large.world.state.policy);
  expect(directory.isWitnessed).toBe(true);
  expect(await directory.self()).toBeNull();
  expect(await directory.audit()).toBe(directory.checkpoint.size);
});

test('an organisation that can be replayed is replayed', async () => {
  expect((await failing(byLink(kept(), 6))).code).toBe('replay-needed');
  expect((await byLink(kept(), 5)).activeDevices).toBe(6);
  const empty = openProvenDirectory({ ports: large.ports(), store: kept() });
  expect((await failing(empty)).code).toBe('no-organisation');
});

test('where nobody has to witness the log, or nothing was replayed, proofs have nothing to stand on', async () => {
  const unwitnessed = kept();
  const options = { definition, ports: large.ports(), store: unwitnessed, relayUrl: large.relay.url };
  const client = await createOrganisation({ ...options, handle: 'alone' });
  await client.close();
  expect((await failing(open(undefined, unwitnessed))).code).toBe('replay-needed');
  const unreplayed = await copyOf(store);
  await unreplayed.keys.write([{ name: 'log-checkpoint', value: null }]);
  expect((await failing(open(undefined, unreplayed))).code).toBe('replay-needed');
  const mixed = await copyOf(store);
  await open(undefined, mixed);
  for (const name of ['identity', 'log-checkpoint'])
    await mixed.keys.write([{ name, value: await unwitnessed.keys.get(name) }]);
  expect((await failing(open(undefined, mixed))).code).toBe('store-damaged');
});

test('a device that has joined starts from what it replayed, and knows itself and others', async () => {
  const directory = await open();
  const self = await directory.self();
  expect(self?.member).toMatchObject({ handle: 'light', role: 'member', devices: [self?.device.id] });
  const [, , , fourth] = people as [SeededMember, SeededMember, SeededMember, SeededMember];
  expect(await directory.member(fourth.id)).toMatchObject({ handle: 'member-3', role: 'member' });
  const device = await directory.device(fourth.devices[0].id);
  expect(device).toMatchObject({
    member: fourth.id,
    signingPublicKey: fourth.devices[0].signer.publicKey,
    sealingKey: { publicKey: fourth.devices[0].decapsulator.publicKey },
  });
  expect(await directory.device(deviceId(large.world.random(32)))).toBeNull();
  const nobody = memberId(large.world.random(16));
  const several = await directory.members([fourth.id, nobody, people[0]?.id as never]);
  expect(several.map((one) => one?.handle)).toEqual(['member-3', undefined, 'member-0']);
  for (let i = 0; i < 5; i += 1)
    expect(await directory.audit()).toBeLessThanOrEqual(directory.checkpoint.size);
});

test('what it knows it knows without the network, and after a restart; of others it says that it is offline', async () => {
  const gone: Alter = () => {
    throw new Error('no network');
  };
  const directory = await open(gone);
  expect(await directory.member(people[3]?.id as never)).toMatchObject({ role: 'member' });
  expect((await directory.self())?.member.handle).toBe('light');
  expect((await failing(directory.member(people[4]?.id as never))).code).toBe('offline');
  expect((await failing(directory.refresh())).code).toBe('offline');
});

test('what has changed is believed once enough admins have cosigned it, and not before', async () => {
  const { world } = large;
  const directory = await open();
  const before = directory.checkpoint.size;
  const member = people[3]?.id as never;
  world.append(createRoleChange({ ...world.as(first), member, role: 'exporter' }));
  await large.push();
  await large.cosign(first);
  // Two have cosigned what was there before; that is still as true as it was.
  await directory.refresh();
  expect(directory.checkpoint.size).toBe(before);
  expect(await directory.member(member)).toMatchObject({ role: 'member' });
  await large.cosign(second);
  await directory.refresh();
  expect(directory.checkpoint.size).toBe(before + 1);
  expect(await directory.member(member)).toMatchObject({ role: 'exporter' });
  expect(await (await open()).member(member)).toMatchObject({ role: 'exporter' });
});

test('cosignatures are of their time, and the time does not go back', async () => {
  const { clock } = large.world;
  const directory = await open();
  expect(directory.isWitnessed).toBe(true);
  clock.advance(3_601_000);
  expect(directory.isWitnessed).toBe(false);
  expect(await failing(directory.refresh())).toMatchObject({
    code: 'unwitnessed',
    evidence: [await large.newestNote()],
  });
  await large.cosign(first, second);
  await directory.refresh();
  expect(directory.isWitnessed).toBe(true);
  const until = directory.witnessedUntilMs;
  clock.advance(-7_200_000);
  // The clock was set back by two hours: what was signed since is not from the future, and nothing grows younger.
  await directory.refresh();
  expect(directory.witnessedUntilMs).toBe(until);
  clock.advance(7_200_000);
});

/** The newest checkpoint with these lines and no others. */
async function noteWith(...lines: readonly (readonly [SeededDevice, number])[]): Promise<Uint8Array> {
  const { text, signatures } = parseNote(await large.newestNote());
  const checkpoint = parseCheckpointText(text);
  const cosigned = lines.map(([by, seconds]) => cosignature(primitives, by.signer, checkpoint, seconds));
  return assembleNote(text, [...signatures.slice(0, 1), ...cosigned]);
}

test('an admin who signs an hour ahead again and again does not carry the time away from the others', async () => {
  const { clock } = large.world;
  const nowSeconds = Math.floor(clock.now() / 1000);
  let shown: Uint8Array | null = null;
  const copy = await copyOf(store);
  const alter: Alter = (bytes, path) => (shown !== null && path.endsWith('/log/checkpoint') ? shown : bytes);
  const directory = await open(alter, copy);
  for (let ahead = 1; ahead <= 3; ahead += 1) {
    shown = await noteWith([first, nowSeconds], [second, nowSeconds + ahead * 3600]);
    await directory.refresh().catch(() => {});
  }
  shown = null;
  clock.advance(1000);
  await large.cosign(first, third);
  await directory.refresh();
  expect(directory.isWitnessed).toBe(true);
  expect((await open(undefined, copy)).isWitnessed).toBe(true);
});

test('a relay that changes any answer is refused, and nothing of it stays', async () => {
  const { world } = large;
  const { policy } = world.state;
  world.append(createPolicyChange({ ...world.as(first), policy: { ...policy, leaseSeconds: 60 } }));
  await large.push();
  await large.cosign(first, second);
  const paths: string[] = [];
  const honest = await open((bytes, path) => (paths.push(path), bytes), await copyOf(store));
  await honest.refresh();
  const directoryPaths = [...new Set(paths)].filter((path) => !/challenges|sessions/.test(path));
  expect(directoryPaths.length).toBeGreaterThan(8);
  let refused = 0;
  for (const target of directoryPaths) {
    for (const change of CHANGES) {
      const copy = await copyOf(store);
      const directory = await open((bytes, path) => (path === target ? change(bytes) : bytes), copy);
      const before = await copy.keys.get('proven-anchor');
      try {
        await directory.refresh();
        // What did not matter changed nothing.
        expect(directory.checkpoint).toEqual(honest.checkpoint);
        expect(directory.policy).toEqual(honest.policy);
        expect(await directory.self()).toEqual(await honest.self());
      } catch (error) {
        expect(error).toBeInstanceOf(ClientError);
        expect(['relay-misbehaved', 'relay-forked', 'unwitnessed', 'offline']).toContain(
          (error as ClientError).code,
        );
        expect(await copy.keys.get('proven-anchor')).toEqual(before);
        refused += 1;
      }
    }
  }
  expect(refused).toBeGreaterThan(directoryPaths.length * 2);
});

/** Ways in which an answer can be another. */
const CHANGES: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
  (bytes) => bytes.slice(0, Math.floor(bytes.length / 2)),
  (bytes) => flipped(bytes, 0.3),
  (bytes) => flipped(bytes, 0.6),
  (bytes) => flipped(bytes, 0.9),
];

/** One character or byte becomes another, so that text stays text. */
function flipped(bytes: Uint8Array, where: number): Uint8Array {
  const changed = bytes.slice();
  const at = Math.floor(bytes.length * where);
  changed[at] = (changed[at] as number) === 0x41 ? 0x42 : 0x41;
  return changed;
}

test('an older checkpoint than it has seen is evidence, and ends it', async () => {
  const older = await large.newestNote();
  const { world } = large;
  world.append(createRoleChange({ ...world.as(first), member: people[4]?.id as never, role: 'exporter' }));
  await large.push();
  await large.cosign(first, second);
  const directory = await open();
  await directory.refresh();
  const rolledBack = await open((bytes, path) => (path.endsWith('/log/checkpoint') ? older : bytes));
  const error = await failing(rolledBack.refresh());
  expect(error.code).toBe('relay-forked');
  expect(error.evidence.map((note) => openMapNote(note).checkpoint.size)).toEqual([
    directory.checkpoint.size,
    directory.checkpoint.size - 1,
  ]);
  expect(await failing(rolledBack.member(people[0]?.id as never))).toBe(error);
  expect(await failing(rolledBack.audit())).toBe(error);
});

/** A note that the relay's key has signed, whatever it says. */
function signedByRelay(checkpoint: MapCheckpoint): Uint8Array {
  return assembleNote(checkpointText(checkpoint), [logSignature(primitives, large.relaySigner, checkpoint)]);
}

test('two checkpoints of one size are a fork, with a file that anybody can judge', async () => {
  const directory = await open();
  const note = signedByRelay({ ...directory.checkpoint, root: new Uint8Array(32).fill(1) });
  const forked = await open((bytes, path) => (path.endsWith('/log/checkpoint') ? note : bytes));
  const error = await failing(forked.refresh());
  expect(error.code).toBe('relay-forked');
  expect(verifyForkProof(primitives, error.evidence[0] as Uint8Array)).toMatchObject({ claim: 'forked' });
});

test('two maps of one log are a fork, with a file that anybody can judge', async () => {
  const directory = await open();
  const note = signedByRelay({ ...directory.checkpoint, mapRoot: new Uint8Array(32).fill(1) });
  const forked = await open((bytes, path) => (path.endsWith('/log/checkpoint') ? note : bytes));
  const error = await failing(forked.refresh());
  expect(error.code).toBe('relay-forked');
  expect(error.evidence).toHaveLength(1);
  expect(verifyForkProof(primitives, error.evidence[0] as Uint8Array)).toMatchObject({ claim: 'forked' });
});

test('a contradiction that the relay did not sign accuses nobody, and is no end', async () => {
  const directory = await open();
  const other = { ...directory.checkpoint, root: new Uint8Array(32).fill(1) };
  const unsigned = assembleNote(checkpointText(other), [logSignature(primitives, first.signer, other)]);
  let isLying = true;
  const lied = await open((bytes, path) => (isLying && path.endsWith('/log/checkpoint') ? unsigned : bytes));
  expect((await failing(lied.refresh())).code).toBe('relay-misbehaved');
  isLying = false;
  await lied.refresh();
});

test('an audit finds a past that is another, and the checkpoint of it is evidence', async () => {
  const lie = (bytes: Uint8Array, path: string): Uint8Array => {
    if (!/log\/checkpoint\?size=/.test(path)) return bytes;
    const { checkpoint } = openMapNote(bytes);
    return signedByRelay({ ...checkpoint, root: new Uint8Array(32).fill(1) });
  };
  // Whatever size is drawn: a note of that size is a lie.
  const error = await failing((await open(lie)).audit());
  expect(error.code).toBe('relay-forked');
  expect(verifyForkProof(primitives, error.evidence[0] as Uint8Array)).toMatchObject({ claim: 'forked' });
  const another = await large.newestNote();
  const swapped = await open((bytes, path) => (/checkpoint\?size=/.test(path) ? another : bytes));
  const found = await Promise.allSettled(Array.from({ length: 12 }, () => swapped.audit()));
  expect(found.some(({ status }) => status === 'rejected')).toBe(true);
});

test('an inviter who has not cosigned since accuses nobody, whatever others cosigned before the invite', async () => {
  const later = await large.link(second);
  const waiting = openProvenDirectory({ ports: large.ports(), store: kept(), link: later, replayLimit });
  // The relay tells the truth: what was cosigned is of before this invite.
  expect((await failing(waiting)).code).toBe('unwitnessed');
  await large.cosign(first, second);
});

test('a link of before its invite, as that of a proposed one, has to be replayed, and accuses nobody', async () => {
  const before = checkpointOf(large.world.state);
  const invited = parseInviteLink(await large.link(first));
  await large.cosign(first, second);
  const proposed = formatInviteLink({ ...invited, checkpoint: before });
  const opening = openProvenDirectory({ ports: large.ports(), store: kept(), link: proposed, replayLimit });
  expect((await failing(opening)).code).toBe('replay-needed');
});

test('a relay that denies what it has signed is refused, with its signature as evidence', async () => {
  const denies = (what: RegExp): Ports => {
    const ports = large.ports();
    return {
      ...ports,
      fetch: (input, init) =>
        what.test(input as string)
          ? Promise.resolve(new Response('{"code":"not-found","message":"none"}', { status: 404 }))
          : ports.fetch(input, init),
    };
  };
  const opened = (what: RegExp): Promise<ProvenDirectory> =>
    openProvenDirectory({ ports: denies(what), store, replayLimit });
  const { checkpoint } = await open();
  for (const refused of [
    (await opened(/checkpoint\?size=/)).audit(),
    (await opened(/directory\/members/)).member(memberId(large.world.random(16))),
  ]) {
    const { code, evidence } = await failing(refused);
    expect(code).toBe('relay-misbehaved');
    expect(evidence.map((note) => openMapNote(note).checkpoint)).toEqual([checkpoint]);
  }
});

test('where the admins of the anchor are gone, a replay is what it goes on from', async () => {
  const { world } = large;
  const behind = await copyOf(store);
  const directory = await open(undefined, behind);
  await directory.member(people[3]?.id as never);
  for (const member of [3, 4])
    world.append(
      createRoleChange({ ...world.as(first), member: people[member]?.id as never, role: 'admin' }),
    );
  const fourth = people[3]?.devices[0] as SeededDevice;
  for (const member of [0, 1, 2])
    world.append(
      createRoleChange({ ...world.as(fourth), member: people[member]?.id as never, role: 'member' }),
    );
  await large.push();
  await large.cosign(fourth, people[4]?.devices[0] as SeededDevice);
  await directory.refresh();
  expect(directory.checkpoint.size).toBeLessThan(world.state.size);
  world.clock.advance(3_601_000);
  await large.cosign(fourth, people[4]?.devices[0] as SeededDevice);
  expect((await failing(directory.refresh())).code).toBe('unwitnessed');
  const client = await connect({ definition, ports: large.ports(), store: behind });
  await client.online();
  await client.close();
  await directory.refresh();
  expect(directory.checkpoint.size).toBe(world.state.size);
  expect(directory.isWitnessed).toBe(true);
  expect(await directory.member(people[3]?.id as never)).toMatchObject({ role: 'admin' });
  expect((await open(undefined, behind)).checkpoint).toEqual(directory.checkpoint);
});
