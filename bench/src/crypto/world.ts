import {
  createEpoch,
  deviceIdOf,
  groupId,
  openEpoch,
  openEpochBox,
  orgId,
  parseEpochStatement,
  sealMessage,
  type Checkpoint,
  type Primitives,
  type Random,
} from '@keytide/crypto-core';
import type { Payload } from './messenger.ts';

const BLOCK_MS = 86_400_000;
const CHANNEL = new Uint8Array(16).fill(0xc1);

export type Seal = (payload: Payload) => Uint8Array;
type World = Awaited<ReturnType<typeof makeWorld>>;
type Device = ReturnType<typeof makeDevice>;

/** An organisation with one group of devices in its first epoch. The first device receives. */
export async function makeWorld(primitives: Primitives, random: Random, size: number) {
  const devices = Array.from({ length: size }, () => makeDevice(primitives, random));
  const [receiver] = devices as [Device];
  const checkpoint: Checkpoint = { size: 7, root: random(32) };
  const blockStartMs = 20_454 * BLOCK_MS;
  const input = {
    primitives,
    random,
    signer: receiver.signer,
    author: receiver.id,
    org: orgId(random(32)),
    group: groupId(random(32)),
    previous: null,
    blockStartMs,
    blockEndMs: blockStartMs + BLOCK_MS,
    createdMs: blockStartMs + 1_000,
    checkpoint,
    reason: 'first',
    closing: { group: { size: 0, root: primitives.sha256(new Uint8Array(0)) }, senders: [] },
    recipients: devices.map(({ id, encapsulator }) => ({ device: id, encapsulator })),
  } as const;
  const created = await createEpoch(input);
  const statement = parseEpochStatement(primitives, created.statement);
  const box = created.boxes.find(({ device }) => device === receiver.id)?.box as Uint8Array;
  const openKey = () => openEpochBox(primitives, [receiver.decapsulator], statement, receiver.id, box);
  return {
    devices,
    input,
    statement,
    checkpoint,
    openKey,
    openEpoch: () =>
      openEpoch({
        primitives,
        statement,
        key: openKey(),
        devices: devices.map(({ id, verifier }) => ({ device: id, verifier })),
      }),
  };
}

/** One device's sending, as its client would: each message names the one before. */
export function makeSealer(world: World, { id, signer }: Device): Seal {
  const keys = world.openEpoch();
  const heads = { directory: world.checkpoint, group: world.checkpoint };
  let counter = 0;
  let previousLink: Uint8Array = new Uint8Array(32);
  return ({ bytes }) => {
    const { envelope, link } = sealMessage(keys, {
      signer,
      sender: id,
      channel: CHANNEL,
      counter,
      previousLink,
      heads,
      payload: bytes,
      random: world.input.random,
    });
    counter += 1;
    previousLink = link;
    return envelope;
  };
}

function makeDevice(primitives: Primitives, random: Random) {
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
