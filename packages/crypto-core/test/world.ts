import {
  createEpoch,
  deviceIdOf,
  groupId,
  openEpoch,
  openEpochBox,
  orgId,
  parseEpochStatement,
  type Checkpoint,
  type CreateEpochInput,
  type Decapsulator,
  type DeviceId,
  type Encapsulator,
  type EpochKeys,
  type EpochStatement,
  type Random,
  type Signer,
  type Verifier,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { seededRandom } from './seeded-random.ts';

/** A device with all its keys. */
export interface TestDevice {
  readonly id: DeviceId;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly decapsulator: Decapsulator;
  readonly encapsulator: Encapsulator;
}

export function makeDevice(random: Random): TestDevice {
  const signer = primitives.signer(random(32));
  const decapsulator = primitives.decapsulator(random(32));
  return {
    id: deviceIdOf(primitives, signer.publicKey),
    signer,
    verifier: primitives.verifier(signer.publicKey),
    decapsulator,
    encapsulator: primitives.encapsulator(decapsulator.publicKey),
  };
}

/** One organisation, one group, `size` devices; everything but the boxes follows from the seed. */
export function makeWorld(seed: string, size = 3) {
  const random = seededRandom(seed);
  const org = orgId(random(32));
  const group = groupId(random(32));
  const devices = Array.from({ length: size }, () => makeDevice(random));
  const checkpoint: Checkpoint = { size: 7, root: random(32) };
  const author = devices[0] as TestDevice;
  const input: CreateEpochInput = {
    primitives,
    random,
    signer: author.signer,
    author: author.id,
    org,
    group,
    previous: null,
    blockStartMs: 20_254 * 86_400_000,
    blockEndMs: 20_255 * 86_400_000,
    createdMs: 1_750_000_001_000,
    checkpoint,
    reason: 'first',
    closing: { group: { size: 0, root: primitives.sha256(new Uint8Array(0)) }, senders: [] },
    recipients: devices.map(({ id, encapsulator }) => ({ device: id, encapsulator })),
  };
  return { random, org, group, devices, author, checkpoint, input };
}

/** The first epoch of a world, opened by each of its devices through its own box. */
export async function openedWorld(seed: string, size = 3) {
  const world = makeWorld(seed, size);
  const created = await createEpoch(world.input);
  const statement = parseEpochStatement(primitives, created.statement);
  const keys = new Map<DeviceId, EpochKeys>(
    world.devices.map((device) => [device.id, openFor(world.devices, device, statement, created.boxes)]),
  );
  const keysOf = (device: TestDevice): EpochKeys => keys.get(device.id) as EpochKeys;
  return { ...world, created, statement, keysOf };
}

export function openFor(
  devices: readonly TestDevice[],
  device: TestDevice,
  statement: EpochStatement,
  boxes: readonly { readonly device: DeviceId; readonly box: Uint8Array }[],
): EpochKeys {
  const box = boxes.find((candidate) => candidate.device === device.id)?.box as Uint8Array;
  const key = openEpochBox(primitives, [device.decapsulator], statement, device.id, box);
  return openEpoch({
    primitives,
    statement,
    key,
    devices: devices.map(({ id, verifier }) => ({ device: id, verifier })),
  });
}
