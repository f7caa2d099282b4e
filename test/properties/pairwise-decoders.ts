import {
  asciiBytes,
  CryptoError,
  decodeCbor,
  encodeCbor,
  encodeHeartbeat,
  equalBytes,
  parsePairwiseKind,
  readHeartbeat,
  sealingKeyId,
  signBytes,
  type CryptoErrorCode,
  type Label,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { bodyBytes, readBody } from '../../packages/crypto-core/src/ephemeral/body.ts';
import { sealFrame, unsealFrame } from '../../packages/crypto-core/src/ephemeral/frame.ts';
import {
  createBundle,
  createOneTimePreKey,
  verifyBundle,
  verifyOneTimePreKey,
  type PreKeyBundleFields,
} from '../../packages/crypto-core/src/libsignal/bundle.ts';
import { encodeNotice, parseNotice } from '../../packages/crypto-core/src/libsignal/notice.ts';
import { readPeerState, writePeerState } from '../../packages/crypto-core/src/libsignal/peer-state.ts';
import {
  encodeContent,
  parseContent,
  signSessionMessage,
  verifySessionMessage,
} from '../../packages/crypto-core/src/libsignal/session-wire.ts';
import type { Transaction } from '../../packages/crypto-core/src/libsignal/transaction.ts';
import { openBoxMessage, sealBoxMessage } from '../../packages/crypto-core/src/pairwise/box-message.ts';
import { wireHead } from '../../packages/crypto-core/src/pairwise/wire.ts';
import * as world from '../../packages/crypto-core/test/spec-world.ts';
import { random, seeded } from './corpus.ts';
import { through, type Decoder } from './decoder.ts';

const { alice, bob, directory, filled, org } = world;
const READING: readonly CryptoErrorCode[] = ['malformed', 'too-large', 'unsupported-version'];
const reader = (
  row: Omit<Decoder, 'error' | 'codes'>,
  codes: readonly CryptoErrorCode[] = READING,
): Decoder => ({
  error: CryptoError,
  codes,
  ...row,
});

const pair = { org, sender: alice.id, recipient: bob.id };
const owner = { org, device: alice.id };
const epoch = world.openedEpoch();

const boxMessages = ['a', 'hello, Bob'].map((text) => {
  const plaintext = asciiBytes(text);
  const peer = {
    record: { signingPublicKey: bob.verifier.publicKey, abilities: 0 },
    encapsulator: seeded.encapsulator(bob.encapsulator.publicKey),
  };
  const input = { primitives, random, signer: alice.signer, peer, kind: 'box' as const, pair };
  return { plaintext, wire: sealBoxMessage(input, plaintext) };
});
const keyId = sealingKeyId(primitives, bob.encapsulator.publicKey);

const frame = {
  kind: 'live' as const,
  channel: filled(0xc1, 16),
  startedMs: world.BLOCK_START_MS,
  sentMs: world.BLOCK_START_MS + 5000,
  maxAgeMs: 60_000,
  payload: asciiBytes('here'),
  sender: alice.id,
  session: filled(0x5a, 16),
  counter: 7,
};
const heartbeat = { heads: { directory, group: { size: 5, root: filled(0xd3, 32) } } };

const bundle = createBundle(primitives, alice.signer, owner, {
  createdMs: 1,
  notAfterMs: 2,
  registrationId: 3,
  identityKey: random(33),
  id: 4,
  signedPreKey: random(33),
  signedPreKeySignature: random(64),
  kyberPreKey: random(1569),
  kyberPreKeySignature: random(64),
});
const oneTime = createOneTimePreKey(primitives, alice.signer, owner, {
  id: 5,
  preKey: random(33),
  kyberPreKey: random(1569),
  kyberPreKeySignature: random(64),
});
const state = encodeCbor([
  2,
  2,
  3,
  [filled(1, 32)],
  [[filled(2, 16), filled(2, 32)]],
  [filled(3, 32)],
  [],
  1,
  4,
  5,
  6,
]);

/** Readers of pairwise, session and ephemeral messages, and of what devices publish for sessions. */
export const pairwiseDecoders: readonly Decoder[] = [
  reader({
    name: 'kind of a pairwise message',
    corpus: () => boxMessages.map(({ wire }) => wire),
    rewrite: (bytes) =>
      Uint8Array.from(Buffer.concat([wireHead(parsePairwiseKind(bytes)), bytes.subarray(2)])),
  }),
  reader(
    {
      name: 'pairwise box',
      corpus: () => boxMessages.map(({ wire }) => wire),
      rewrite: (bytes) => {
        const sealingKey = (id: string) => (id === keyId ? bob.decapsulator : null);
        const { plaintext } = openBoxMessage(
          { primitives, verifier: alice.verifier, pair, sealingKey },
          bytes,
        );
        return boxMessages.find((message) => equalBytes(message.plaintext, plaintext))?.wire ?? null;
      },
    },
    ['decryption-failed', 'bad-signature', 'malformed', 'too-large'],
  ),
  reader(
    {
      name: 'session message, before libsignal',
      corpus: () => [
        signSessionMessage(primitives, alice.signer, pair, { kind: 'session', bytes: random(80) }),
      ],
      rewrite: (bytes) => {
        if (parsePairwiseKind(bytes) !== 'session') return null;
        const message = verifySessionMessage(primitives, alice.verifier, pair, 'session', bytes);
        return signSessionMessage(primitives, alice.signer, pair, message);
      },
    },
    [...READING, 'bad-signature'],
  ),
  reader(
    {
      name: 'content of a session message',
      corpus: () =>
        [null, filled(9, 32)].map((original) =>
          encodeContent(primitives, pair, { id: filled(8, 16), original, plaintext: random(30) }),
        ),
      rewrite: through(
        (bytes) => parseContent(primitives, pair, bytes),
        (content) => encodeContent(primitives, pair, content),
      ),
    },
    ['malformed', 'too-large', 'wrong-context'],
  ),
  reader({
    name: 'session notice',
    corpus: () => [encodeNotice({ received: [filled(1, 32), filled(2, 32)], lost: [] })],
    rewrite: through(parseNotice, encodeNotice),
  }),
  reader({
    name: 'stored state of a peer',
    corpus: () => [state],
    rewrite: async (bytes) => {
      let put: Uint8Array | null = null;
      const transaction: Pick<Transaction, 'get' | 'put'> = {
        get: async () => bytes,
        put: (_, value) => void (put = value),
      };
      const tx = transaction as Transaction;
      writePeerState(tx, bob.id, await readPeerState(tx, bob.id));
      return put;
    },
  }),
  reader(
    {
      name: 'pre-key bundle',
      corpus: () => [bundle],
      rewrite: through(verifiedBundle, createdBundle),
    },
    [...READING, 'bad-signature', 'wrong-context'],
  ),
  reader(
    {
      name: 'pre-key bundle, under its signature',
      corpus: () => [insideOf(bundle)],
      rewrite: through(
        (bytes) => verifiedBundle(signed('preKeyBundleSignature', bytes)),
        (fields) => insideOf(createdBundle(fields)),
      ),
    },
    [...READING, 'wrong-context'],
  ),
  reader(
    {
      name: 'one-time pre-key, under its signature',
      corpus: () => [insideOf(oneTime)],
      rewrite: through(
        (bytes) => {
          const wire = signed('oneTimePreKeySignature', bytes);
          return verifyOneTimePreKey(primitives, alice.verifier, owner, wire);
        },
        (fields) => insideOf(createOneTimePreKey(primitives, alice.signer, owner, fields)),
      ),
    },
    [...READING, 'wrong-context'],
  ),
  reader(
    {
      name: 'ephemeral frame',
      corpus: () => [sealFrame(epoch, alice.signer, frame)],
      rewrite: through(
        (bytes) => {
          const { message, verify } = unsealFrame(epoch, bytes);
          verify();
          return message;
        },
        (message) => sealFrame(epoch, alice.signer, message),
      ),
    },
    [...READING, 'wrong-context', 'decryption-failed', 'bad-signature'],
  ),
  reader({
    name: 'ephemeral body',
    corpus: () => [bodyBytes(frame), bodyBytes({ ...frame, kind: 'heartbeat', channel: filled(0, 16) })],
    rewrite: through((bytes) => readBody(bytes, 4096), bodyBytes),
  }),
  reader({
    name: 'heartbeat',
    corpus: () =>
      [null, { counter: 9, link: filled(1, 32) }].map((last) => encodeHeartbeat({ ...heartbeat, last })),
    rewrite: through((payload) => readHeartbeat({ ...frame, kind: 'heartbeat', payload }), encodeHeartbeat),
  }),
];

function verifiedBundle(wire: Uint8Array): PreKeyBundleFields {
  return verifyBundle(primitives, alice.verifier, owner, wire);
}

function createdBundle(fields: PreKeyBundleFields): Uint8Array {
  return createBundle(primitives, alice.signer, owner, fields);
}

function signed(label: Label, bytes: Uint8Array): Uint8Array {
  return encodeCbor([bytes, signBytes(primitives, alice.signer, label, bytes)]);
}

/** What a signed wire carries. */
function insideOf(wire: Uint8Array): Uint8Array {
  return (decodeCbor(wire, wire.length) as readonly [Uint8Array])[0];
}
