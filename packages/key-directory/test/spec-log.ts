import { memberId, Secret, type MemberId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  acceptInvite,
  applyEntry,
  createGenesis,
  createInvite,
  createRoleChange,
  createWipe,
  createWipeReceipt,
  replay,
  type Device,
  type DirectoryState,
  type OwnDevice,
} from '@keytide/key-directory';

/** The log that docs/spec/membership-log.md and docs/spec/invite.md show, made from the seeds they name. */
const START_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 24 * 60 * 60 * 1000;

export const INVITE_SEED: Uint8Array = filled(0x07, 32);
export const BOB: MemberId = memberId(filled(0x08, 16));

const alice = device(0x01, 0x02, 1);
const bob = device(0x03, 0x04, 0);

const genesis = createGenesis({
  primitives,
  random: (sizeBytes) => filled(sizeBytes === 32 ? 0x05 : 0x06, sizeBytes),
  device: alice,
  handle: 'alice',
  policy: { blockSeconds: 86_400, retentionSeconds: 604_800, exportSeconds: 2_592_000 },
  nowMs: START_MS,
});
const founded = applyEntry(primitives, null, genesis);
const invite = createInvite({
  primitives,
  random: (sizeBytes) => filled(0x07, sizeBytes),
  state: founded,
  signer: alice.signer,
  role: 'member',
  expiresMs: START_MS + DAY_MS,
  nowMs: START_MS + 1000,
}).wire;

/** The log with the invite in it: what the link's checkpoint names. */
export const invited: DirectoryState = applyEntry(primitives, founded, invite);

const join = acceptInvite({
  primitives,
  random: (sizeBytes) => filled(0x00, sizeBytes),
  state: invited,
  seed: Secret.own(INVITE_SEED.slice()),
  device: bob,
  handle: 'bob',
  member: BOB,
  nowMs: START_MS + 2000,
});
const joined = applyEntry(primitives, invited, join);
const role = createRoleChange({
  primitives,
  state: joined,
  signer: alice.signer,
  member: BOB,
  role: 'exporter',
  nowMs: START_MS + 3000,
});

export const wires: { genesis: Uint8Array; invite: Uint8Array; join: Uint8Array; role: Uint8Array } = {
  genesis,
  invite,
  join,
  role,
};
export const state: DirectoryState = replay(primitives, Object.values(wires));

/** What docs/spec/wipe.md shows: alice wipes bob's device, which says so a second later. */
export const bobsDevice: Device = [...state.devices.values()].find(({ member }) => member === BOB) as Device;
export const wipe: Uint8Array = createWipe({
  primitives,
  state,
  signer: alice.signer,
  target: { of: 'device', device: bobsDevice.id },
  nowMs: START_MS + 4000,
});
export const afterWipe: DirectoryState = applyEntry(primitives, state, wipe);
export const receipt: Uint8Array = createWipeReceipt(primitives, bob.signer, {
  org: state.org,
  device: bobsDevice.id,
  order: state.size,
  wire: wipe,
  destroyedMs: START_MS + 5000,
});

function filled(byte: number, sizeBytes: number): Uint8Array {
  return new Uint8Array(sizeBytes).fill(byte);
}

function device(signingSeed: number, sealingSeed: number, abilities: number): OwnDevice {
  return {
    signer: primitives.signer(filled(signingSeed, 32)),
    abilities,
    sealingPublicKey: primitives.decapsulator(filled(sealingSeed, 32)).publicKey,
    notBeforeMs: START_MS,
    notAfterMs: START_MS + DAY_MS,
  };
}
