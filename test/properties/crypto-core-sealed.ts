import {
  CryptoError,
  concatBytes,
  createAccessRequest,
  decodeCbor,
  encodeCbor,
  equalBytes,
  examineShares,
  idBytes,
  openAccessAnswer,
  openAttachment,
  openAttachmentRange,
  openBox,
  openEpochBox,
  openMessage,
  parseAccessRequest,
  sealAttachment,
  sealBox,
  sealMessage,
  Secret,
  signBytes,
  verifyAccessAnswer,
  verifyAccessRequest,
  verifyQuorumSet,
  verifySealingRecord,
  type CryptoErrorCode,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { labelled } from '../../packages/crypto-core/src/labels.ts';
import { encodeQuorumSet } from '../../packages/crypto-core/src/quorum/set.ts';
import {
  openVaultFile,
  parseVaultFile,
  sealVaultFile,
} from '../../packages/crypto-core/src/vault/vault-file.ts';
import { contentKey } from '../../packages/crypto-core/src/vault/vault-key.ts';
import { alice, bob, filled, openedEpoch, statement } from '../../packages/crypto-core/test/spec-world.ts';
import {
  answers,
  attachments,
  boxContext,
  boxes,
  epochBox,
  grantedKeys,
  longAttachment,
  messages,
  oneUse,
  otherEpochBox,
  quorumExpectation,
  quorumSet,
  quorumSetBytes,
  shares,
  wires,
} from './corpus.ts';
import { through, type Decoder } from './decoder.ts';

const sealed = (row: Omit<Decoder, 'error' | 'codes'>, codes: readonly CryptoErrorCode[]): Decoder => ({
  error: CryptoError,
  codes,
  ...row,
});
const epoch = openedEpoch();

/**
 * Readers of crypto-core that need a key. What they accept is sealed or signed again with the same inputs, so it
 * is a good input or a forgery. Where the key is ours, mutations are signed or sealed as well ("under its seal").
 */
export const sealedFormats: readonly Decoder[] = [
  sealed(
    {
      name: 'sealed box',
      corpus: () => boxes.map(({ box }) => box),
      rewrite: (bytes) => {
        const opened = openBox(primitives, bob.decapsulator, boxContext, bytes);
        return boxes.find(({ plain }) => equalBytes(plain, opened))?.box ?? null;
      },
    },
    ['decryption-failed', 'malformed', 'too-large'],
  ),
  sealed(
    {
      name: 'epoch box',
      corpus: () => [epochBox],
      rewrite: (bytes) => {
        openEpochBox(primitives, [bob.decapsulator], statement, bob.id, bytes).dispose();
        return equalBytes(bytes, otherEpochBox) ? null : epochBox;
      },
    },
    ['decryption-failed', 'commitment-mismatch', 'malformed', 'too-large'],
  ),
  sealed(
    {
      name: 'sealing record, verified',
      corpus: () => [wires.sealingRecord],
      rewrite: (bytes) => {
        verifySealingRecord(primitives, alice.verifier, bytes);
        return wires.sealingRecord;
      },
    },
    ['malformed', 'too-large', 'unsupported-version', 'bad-signature', 'wrong-context'],
  ),
  sealed(
    {
      name: 'access request, verified',
      corpus: () => [wires.accessRequest],
      rewrite: through(
        (bytes) => verifyAccessRequest(primitives, bob.verifier, bytes),
        (request) => createAccessRequest(primitives, bob.signer, request),
      ),
    },
    ['malformed', 'too-large', 'unsupported-version', 'bad-signature'],
  ),
  sealed(
    {
      name: 'access request, under its signature',
      corpus: () => [signedBytes(wires.accessRequest)],
      rewrite: through(
        (bytes) => {
          const signature = signBytes(primitives, bob.signer, 'accessRequestSignature', bytes);
          return verifyAccessRequest(primitives, bob.verifier, encodeCbor([bytes, signature]));
        },
        (request) => signedBytes(createAccessRequest(primitives, bob.signer, request)),
      ),
    },
    ['malformed', 'too-large', 'unsupported-version', 'wrong-context', 'bad-key'],
  ),
  sealed(
    {
      name: 'access answer, verified and opened',
      corpus: () => answers,
      rewrite: (bytes) => {
        const answer = verifyAccessAnswer(primitives, alice.verifier, bytes);
        const { verdict } = openAccessAnswer(primitives, oneUse, answer);
        return answers[verdict === 'granted' ? 0 : 1] ?? null;
      },
    },
    ['malformed', 'too-large', 'unsupported-version', 'bad-signature', 'wrong-context'],
  ),
  sealed(
    {
      name: 'access answer, under its signature',
      corpus: () => answers.map(signedBytes),
      rewrite: (bytes) => {
        const signature = signBytes(primitives, alice.signer, 'accessAnswerSignature', bytes);
        const answer = verifyAccessAnswer(primitives, alice.verifier, encodeCbor([bytes, signature]));
        const { author, createdMs, request, verdict } = answer;
        openAccessAnswer(primitives, oneUse, answer);
        const fields = [idBytes(author), createdMs, answer.box];
        return encodeCbor([1, 1, verdict === 'granted' ? 0 : 1, request, ...fields]);
      },
    },
    ['malformed', 'too-large', 'unsupported-version', 'wrong-context', 'decryption-failed'],
  ),
  sealed(
    {
      name: 'keys of a grant, under their seal',
      corpus: () => [
        encodeCbor(grantedKeys.map(({ epoch: number, key }) => [number, key.use((bytes) => bytes.slice())])),
      ],
      rewrite: (bytes) => {
        const request = parseAccessRequest(primitives, wires.accessRequest).hash;
        const named = { verdict: 'granted', request, author: alice.id, createdMs: 0 } as const;
        const context = labelled('accessAnswer', Uint8Array.of(0), request, idBytes(alice.id));
        const box = sealBox(primitives, primitives.encapsulator(oneUse.publicKey), context, bytes);
        const opened = openAccessAnswer(primitives, oneUse, { ...named, box });
        if (opened.verdict !== 'granted') return null;
        return encodeCbor(
          opened.keys.map(({ epoch: number, key }) => [number, key.use((given) => given.slice())]),
        );
      },
    },
    ['malformed', 'too-large'],
  ),
  sealed(
    {
      name: 'envelope',
      corpus: () => messages.slice(0, 3).map(({ envelope }) => envelope),
      rewrite: through(
        (bytes) => openMessage(epoch, bytes),
        (message, bytes) => {
          const { signer, id } = [alice, bob].find((device) => device.id === message.sender) ?? alice;
          const salt = bytes.slice(46, 62);
          return sealMessage(epoch, { ...message, signer, sender: id, random: () => salt }).envelope;
        },
      ),
    },
    ['wrong-context', 'decryption-failed', 'bad-signature', 'malformed', 'too-large', 'unsupported-version'],
  ),
  ...attachments.map(({ descriptor, ciphertext }) =>
    sealed(
      {
        name: `attachment${descriptor.root === null ? ' that its key vouches for' : ''}`,
        corpus: () => [ciphertext],
        rewrite: through(
          (bytes) => {
            const opener = openAttachment(primitives, descriptor);
            const content = concatBytes(...opener.push(bytes));
            opener.end();
            return content;
          },
          (content) => {
            const random = () => descriptor.key.use((key) => key.slice());
            const { padded, root } = descriptor;
            const sealer = sealAttachment({ primitives, random, padded, bound: root !== null });
            return concatBytes(...sealer.push(content), ...sealer.end());
          },
        ),
      },
      ['decryption-failed', 'malformed', 'content-mismatch', 'truncated'],
    ),
  ),
  sealed(
    {
      name: 'attachment of two chunks, in pieces',
      corpus: () => [longAttachment.ciphertext],
      rewrite: (bytes) => {
        const opener = openAttachment(primitives, longAttachment.descriptor);
        for (let at = 0; at < bytes.length; at += 40_000) opener.push(bytes.subarray(at, at + 40_000));
        opener.end();
        return longAttachment.ciphertext;
      },
      slowness: 4,
    },
    ['decryption-failed', 'malformed', 'content-mismatch', 'truncated'],
  ),
  sealed(
    {
      name: 'stretch of an attachment',
      corpus: () => [attachments[0].ciphertext],
      rewrite: (bytes) => {
        openAttachmentRange(primitives, attachments[0].descriptor, { offset: 3, sizeBytes: 50 }, bytes);
        return attachments[0].ciphertext;
      },
    },
    ['decryption-failed', 'malformed', 'truncated'],
  ),
  sealed(
    {
      name: 'quorum set',
      corpus: () => [wires.quorumSet],
      rewrite: through(
        (bytes) => verifyQuorumSet(primitives, bytes, quorumExpectation),
        (set) => encodeQuorumSet(primitives, alice.signer, set),
      ),
    },
    ['bad-signature', 'malformed', 'too-large', 'unsupported-version', 'wrong-context'],
  ),
  sealed(
    {
      name: 'quorum set, under its signature',
      corpus: () => [quorumSetBytes],
      rewrite: through(
        (bytes) => {
          const signature = signBytes(primitives, alice.signer, 'quorumSetSignature', bytes);
          return verifyQuorumSet(primitives, encodeCbor([bytes, signature]), quorumExpectation);
        },
        (set) => {
          const wire = encodeQuorumSet(primitives, alice.signer, set);
          return (decodeCbor(wire, wire.length) as readonly [Uint8Array])[0];
        },
      ),
    },
    ['malformed', 'too-large', 'unsupported-version', 'wrong-context'],
  ),
  sealed(
    {
      name: 'quorum share of a set',
      corpus: () => shares,
      rewrite: (bytes) => {
        const { good, refused } = examineShares(primitives, quorumSet, [Secret.own(bytes.slice())]);
        const [reason] = refused;
        if (reason !== undefined) throw new CryptoError(reason.code, 'refused');
        return shares[(good[0]?.index ?? 0) - 1] ?? null;
      },
    },
    ['malformed', 'unsupported-version', 'wrong-context', 'bad-share-index', 'poisoned-share'],
  ),
  sealed(
    {
      name: 'vault file',
      corpus: () => [vault(vaultContent)],
      rewrite: through(
        (bytes) => {
          const header = parseVaultFile(primitives, bytes);
          return { header, entries: openVaultFile(primitives, header, root) };
        },
        ({ header, entries }) => {
          const { generation, writeSalt } = header;
          const random = () => writeSalt;
          return sealVaultFile({ primitives, random, header, root, generation, entries });
        },
      ),
    },
    ['vault-damaged', 'unsupported-version', 'too-large', 'wrong-passphrase'],
  ),
  sealed(
    {
      name: 'vault file, under its seal',
      corpus: () => [vaultContent],
      rewrite: through(
        (bytes) => openVaultFile(primitives, parseVaultFile(primitives, vault(bytes)), root),
        (entries) => encodeCbor([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      ),
    },
    ['vault-damaged'],
  ),
];

/** What a wire of two parts has signed. */
function signedBytes(wire: Uint8Array): Uint8Array {
  return (decodeCbor(wire, wire.length) as readonly [Uint8Array])[0];
}

const root = filled(0x77, 32);
const vaultContent = encodeCbor([
  ['device/sealing', filled(0x02, 32)],
  ['device/signing', filled(0x01, 32)],
]);

/** A vault file around any content. */
function vault(content: Uint8Array): Uint8Array {
  const kdf = { memoryKiB: 64, passes: 1, parallelism: 1 };
  const header = { kdf, needsUnlockShare: false, needsDeviceKey: false, salt: filled(0x5a, 16) };
  const random = (sizeBytes: number): Uint8Array => filled(0x5b, sizeBytes);
  const input = { primitives, random, header, root, generation: 3, entries: new Map<string, Uint8Array>() };
  const associated = sealVaultFile(input).slice(0, 98);
  const key = contentKey(primitives, root, associated.subarray(66, 98));
  const nonce = new Uint8Array(12);
  return concatBytes(associated, primitives.aeadSeal({ key, nonce, associated, data: content }));
}
