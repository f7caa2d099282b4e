import {
  asciiBytes,
  concatBytes,
  createAccessAnswer,
  createAccessRequest,
  createEpoch,
  createSealingRecord,
  dealQuorum,
  decodeCbor,
  encodeAttachmentDescriptor,
  encodeDeviceRecord,
  openAttachment,
  parseAccessRequest,
  sealAttachment,
  sealBox,
  sealMessage,
  Secret,
  verifyQuorumSet,
  type AttachmentDescriptor,
  type AttachmentSealer,
  type Encapsulator,
  type Primitives,
  type Random,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { portablePrimitives } from '@keytide/crypto-core/portable';
import { seededRandom } from '@keytide/testkit';
import { sealEpochBox } from '../../packages/crypto-core/src/epoch-box.ts';
import { encodeEpochStatement } from '../../packages/crypto-core/src/epoch-statement.ts';
import { bodySizeBytes, writeBody } from '../../packages/crypto-core/src/message-body.ts';
import * as world from '../../packages/crypto-core/test/spec-world.ts';

/** Good inputs of crypto-core, the same in every run: the world of docs/spec, and more of it than its examples. */
const { alice, bob, filled } = world;
export const random: Random = seededRandom('fuzz');
/** Sealing draws its own randomness, and only in plain JavaScript from a seed. */
export const seeded: Primitives = portablePrimitives(random);
const seededOf = ({ publicKey }: Encapsulator): Encapsulator => seeded.encapsulator(publicKey);

/** The context of `boxes`, which are for Bob, by what is in them. */
export const boxContext: Uint8Array = asciiBytes('an example');
export const boxes: readonly { readonly plain: Uint8Array; readonly box: Uint8Array }[] = [1, 7, 300].map(
  (sizeBytes) => {
    const plain = random(sizeBytes);
    return { plain, box: sealBox(seeded, seededOf(bob.encapsulator), boxContext, plain) };
  },
);

const epochKey = Secret.own(filled(0xe1, 32));
/** For Bob, and for Alice. */
export const [epochBox, otherEpochBox]: readonly [Uint8Array, Uint8Array] = [
  sealEpochBox(
    seeded,
    world.statement.hash,
    { device: bob.id, encapsulator: seededOf(bob.encapsulator) },
    epochKey,
  ).box,
  sealEpochBox(
    seeded,
    world.statement.hash,
    { device: alice.id, encapsulator: seededOf(alice.encapsulator) },
    epochKey,
  ).box,
];

const first = await createEpoch({
  primitives,
  random,
  signer: alice.signer,
  author: alice.id,
  org: world.org,
  group: world.group,
  previous: null,
  blockStartMs: world.BLOCK_START_MS,
  blockEndMs: world.BLOCK_END_MS,
  createdMs: world.BLOCK_START_MS,
  checkpoint: world.directory,
  reason: 'first',
  closing: { group: { size: 0, root: primitives.sha256(new Uint8Array(0)) }, senders: [] },
  recipients: [{ device: alice.id, encapsulator: alice.encapsulator }],
});

/** Messages of Alice in epoch 2, with payloads of all sorts of sizes. */
export const messages = [5, 0, 300, 70_000].map((sizeBytes, counter) => {
  const input = {
    signer: alice.signer,
    sender: alice.id,
    channel: filled(0xc1, 16),
    counter,
    previousLink: counter === 0 ? new Uint8Array(32) : random(32),
    heads: { directory: world.directory, group: { size: 2 ** 40, root: random(32) } },
    payload: random(sizeBytes),
  };
  const salt = random(16);
  const { envelope } = sealMessage(world.openedEpoch(), { ...input, random: () => salt });
  const body = new Uint8Array(bodySizeBytes(input));
  writeBody(body, input);
  return { envelope, body };
});

/** A short attachment, one that only its key vouches for, and one of two chunks of which one is sealed. */
function sealed(
  plain: Uint8Array,
  bound: boolean,
): { descriptor: AttachmentDescriptor; ciphertext: Uint8Array } {
  const sealing = sealAttachment({ primitives, random, padded: bound, bound });
  const ciphertext = concatBytes(...sealing.push(plain), ...sealing.end());
  return { descriptor: sealing.descriptor(), ciphertext };
}
export const attachments = [sealed(random(100), true), sealed(random(40), false)] as const;
export const longAttachment = sealed(random(70_000), true);
export function sealer(): AttachmentSealer {
  const sealing = sealAttachment({ primitives, random: seededRandom('sealer') });
  sealing.push(new Uint8Array(70_000));
  return sealing;
}
const opening = openAttachment(primitives, longAttachment.descriptor);
opening.push(longAttachment.ciphertext.subarray(0, 66_000));

const dealt = await dealQuorum({
  primitives,
  random,
  signer: alice.signer,
  org: world.org,
  kind: 'key',
  secret: Secret.own(random(32)),
  threshold: 2,
  holders: ['Ana', 'Bram', 'Chidi'],
  createdMs: world.BLOCK_START_MS,
});
export const quorumExpectation = { org: world.org, dealer: alice.verifier, previous: null, publicKey: null };
export const quorumSet = verifyQuorumSet(primitives, dealt.set, quorumExpectation);
export const quorumSetBytes = (decodeCbor(dealt.set, 4096) as readonly [Uint8Array])[0];
export const shares = dealt.shares.map(({ share }) => share.use((bytes) => bytes.slice()));

/** Bob asks, Alice answers. */
export const oneUse = primitives.decapsulator(filled(0x0c, 32));
const accessRequest = createAccessRequest(primitives, bob.signer, {
  org: world.org,
  group: world.group,
  device: bob.id,
  firstEpoch: 1,
  lastEpoch: 2,
  oneUseKey: oneUse.publicKey,
  nonce: filled(0x0d, 32),
  checkpoint: world.directory,
  createdMs: world.BLOCK_START_MS,
});
export const grantedKeys = [1, 2].map((epoch) => ({ epoch, key: Secret.own(filled(epoch, 32)) }));
export const answers = [
  { verdict: 'granted', keys: grantedKeys } as const,
  { verdict: 'refused', reason: 'Please call me.' } as const,
].map((content) =>
  createAccessAnswer({
    primitives: seeded,
    signer: alice.signer,
    request: parseAccessRequest(primitives, accessRequest),
    content,
    createdMs: world.BLOCK_START_MS,
  }),
);

const senders = [alice, bob].map(({ id }) => ({ device: id, counter: 2, link: filled(0x1a, 32) }));
const closing = {
  group: { size: 4, root: filled(0xd2, 32) },
  senders: senders.toSorted((a, b) => (a.device < b.device ? -1 : 1)),
};

/** What is CBOR, by name. */
export const wires = {
  deviceRecord: encodeDeviceRecord({ signingPublicKey: alice.signer.publicKey, abilities: 1 }),
  sealingRecord: createSealingRecord(primitives, alice.signer, {
    device: alice.id,
    publicKey: alice.decapsulator.publicKey,
    notBeforeMs: world.BLOCK_START_MS,
    notAfterMs: world.BLOCK_END_MS,
  }),
  firstStatement: first.statement,
  statement: world.epoch.statement,
  longStatement: encodeEpochStatement(primitives, alice.signer, { ...world.statement, closing }),
  descriptor: encodeAttachmentDescriptor(attachments[0].descriptor),
  unboundDescriptor: encodeAttachmentDescriptor(attachments[1].descriptor),
  openingCheckpoint: opening.checkpoint(),
  sealingCheckpoint: sealAttachment({ primitives, random }).checkpoint(),
  quorumSet: dealt.set,
  accessRequest,
};
