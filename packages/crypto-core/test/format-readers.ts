import {
  archiveRecipient,
  asciiBytes,
  decodeCbor,
  deviceId,
  deviceIdOf,
  ephemeralWindow,
  fromHex,
  groupId,
  labelledHash,
  memberId,
  openAccessAnswer,
  openBox,
  openEpoch,
  openEpochBox,
  openMessage,
  orgId,
  parseDeviceRecord,
  parseEnvelopeHeader,
  parseEpochStatement,
  parsePairwiseKind,
  readHeartbeat,
  readPrintedShare,
  receiveEphemeral,
  sealingKeyId,
  Secret,
  toHex,
  unpad,
  unsealMessage,
  verifyAccessAnswer,
  verifyAccessRequest,
  verifyEpochStatement,
  verifyRuns,
  verifySealingRecord,
  type CborValue,
  type EpochExpectation,
  type Label,
  type Primitives,
} from '@keytide/crypto-core';
import { verifyBundle } from '../src/libsignal/bundle.ts';
import { openBoxMessage } from '../src/pairwise/box-message.ts';
import { openVaultFile, parseVaultFile } from '../src/vault/vault-file.ts';

/**
 * One case of test/vectors: fixed bytes as hex and, as text, what they give or the code that refuses them.
 * Plain JavaScript and nothing of a runtime, so that all of them read the same cases.
 */
type FormatCase = Readonly<Record<string, string>>;

/** The cases of one format: good bytes with what they give, and bad ones with one reason and its code each. */
export interface FormatCases {
  readonly valid: readonly FormatCase[];
  readonly invalid: readonly FormatCase[];
}

/** Reads a case and says as text what is in it. @throws CryptoError */
type FormatReader = (vector: FormatCase) => string;

/**
 * How each format of the specification is read, by its name in test/vectors.
 * @param statementWire the statement of epoch 2 of docs/spec, in which the other cases play
 */
export function formatReaders(
  primitives: Primitives,
  statementWire: Uint8Array,
): Readonly<Record<string, FormatReader>> {
  const alice = device(primitives, 0x01, 0x02);
  const bob = device(primitives, 0x03, 0x04);
  const devices = [alice, bob];
  const archiveKey = primitives.decapsulator(filled(0x06, 32));
  const archive = { id: archiveRecipient(primitives, archiveKey.publicKey), decapsulator: archiveKey };
  const statement = parseEpochStatement(primitives, statementWire);
  const key = Secret.own(filled(0xe1, 32));
  const epoch = openEpoch({
    primitives,
    statement,
    key,
    devices: devices.map(({ id, verifier }) => ({ device: id, verifier })),
  });
  const expected: EpochExpectation = {
    org: orgId(filled(0x0a, 32)),
    group: groupId(filled(0x0b, 32)),
    previous: { epoch: 1, hash: filled(0xf1, 32), createdMs: 0 },
    authorVerifier: alice.verifier,
    blockMs: 86_400_000,
    recipients: devices.map(({ id }) => ({ device: id })),
  };

  return {
    cbor: (vector) => diagnostic(decodeCbor(bytes(vector, 'bytes'), Number(vector['limit'] ?? 1024))),
    labelledHash: (vector) =>
      toHex(labelledHash(primitives, vector['label'] as Label, bytes(vector, 'bytes'))),
    deviceId: (vector) => deviceId(vector['text'] ?? bytes(vector, 'bytes')),
    memberId: (vector) => memberId(vector['text'] ?? bytes(vector, 'bytes')),
    padding: (vector) => toHex(unpad(bytes(vector, 'bytes'))),
    deviceRecord: (vector) => {
      const record = parseDeviceRecord(bytes(vector, 'bytes'));
      return `${deviceIdOf(primitives, record.signingPublicKey)} ${record.abilities}`;
    },
    sealingRecord: (vector) => {
      const record = verifySealingRecord(primitives, alice.verifier, bytes(vector, 'bytes'));
      const hash = toHex(primitives.sha256(record.publicKey));
      return `${record.device} ${hash} ${record.notBeforeMs} ${record.notAfterMs}`;
    },
    sealedBox: (vector) =>
      toHex(openBox(primitives, bob.decapsulator, asciiBytes('an example'), bytes(vector, 'bytes'))),
    epochStatement: (vector) => {
      const read = parseEpochStatement(primitives, bytes(vector, 'bytes'));
      verifyEpochStatement(primitives, read, expected);
      return `${read.epoch} ${read.reason} ${toHex(read.hash)}`;
    },
    epochBox: (vector) =>
      openEpochBox(primitives, [bob.decapsulator], statement, bob.id, bytes(vector, 'bytes')).use(toHex),
    archiveRecipient: (vector) => archiveRecipient(primitives, bytes(vector, 'bytes')),
    archivedStatement: (vector) => {
      const read = parseEpochStatement(primitives, bytes(vector, 'bytes'));
      const recipients = [...expected.recipients, { device: archive.id }];
      verifyEpochStatement(primitives, read, { ...expected, recipients });
      return `${read.epoch} ${read.reason} ${toHex(read.hash)}`;
    },
    archiveBox: (vector) =>
      openEpochBox(primitives, [archive.decapsulator], statement, archive.id, bytes(vector, 'bytes')).use(
        toHex,
      ),
    envelopeHeader: (vector) => {
      const header = parseEnvelopeHeader(bytes(vector, 'bytes'));
      return `${header.group} ${header.epoch} ${toHex(header.slot)} ${toHex(header.salt)}`;
    },
    envelope: (vector) => {
      const { sender, counter, payload, digest, link } = openMessage(epoch, bytes(vector, 'bytes'));
      return [sender, counter, toHex(payload), toHex(digest), toHex(link)].join(' ');
    },
    run: (vector) => {
      const envelopes = (vector['envelopes'] ?? '').split(' ').map((text) => bytes({ text }, 'text'));
      const verdicts = verifyRuns(envelopes.map((envelope) => unsealMessage(epoch, envelope)));
      return verdicts
        .map((verdict) =>
          typeof verdict === 'string' ? verdict : `${verdict.counter}:${toHex(verdict.payload)}`,
        )
        .join(' ');
    },
    ephemeralFrame: (vector) => {
      const nowMs = Number(vector['nowMs']);
      const window = ephemeralWindow(Number(vector['connectedMs'] ?? 0), null);
      const { message } = receiveEphemeral({ keys: epoch, window, frame: bytes(vector, 'bytes'), nowMs });
      const { sender, session, counter, kind, channel, sentMs, maxAgeMs, payload } = message;
      const place = [sender, toHex(session), counter, kind, toHex(channel)];
      return [...place, sentMs, maxAgeMs, toHex(payload)].join(' ');
    },
    heartbeat: (vector) => {
      const payload = bytes(vector, 'bytes');
      const { last, heads } = readHeartbeat({ ...HEARTBEAT, sender: alice.id, payload });
      const said = last === null ? 'nothing' : `${last.counter}:${toHex(last.link)}`;
      const seen = [heads.directory, heads.group].map(({ size, root }) => `${size}:${toHex(root)}`);
      return [said, ...seen].join(' ');
    },
    pairwiseBox: (vector) => {
      const wire = bytes(vector, 'bytes');
      const kind = parsePairwiseKind(wire);
      const bobsKey = sealingKeyId(primitives, bob.decapsulator.publicKey);
      const opened = openBoxMessage(
        {
          primitives,
          verifier: alice.verifier,
          pair: { org: expected.org, sender: alice.id, recipient: bob.id },
          sealingKey: (keyId) => (keyId === bobsKey ? bob.decapsulator : null),
        },
        wire,
      );
      return `${kind} ${toHex(opened.messageId)} ${toHex(opened.plaintext)}`;
    },
    preKeyBundle: (vector) => {
      const owner = { org: expected.org, device: alice.id };
      const bundle = verifyBundle(primitives, alice.verifier, owner, bytes(vector, 'bytes'));
      const keys = [bundle.identityKey, bundle.signedPreKey, bundle.kyberPreKey];
      const hashes = keys.map((publicKey) => toHex(primitives.sha256(publicKey)));
      return [bundle.createdMs, bundle.notAfterMs, bundle.registrationId, bundle.id, ...hashes].join(' ');
    },
    accessRequest: (vector) => {
      const request = verifyAccessRequest(primitives, bob.verifier, bytes(vector, 'bytes'));
      const { firstEpoch, lastEpoch, checkpoint, createdMs, hash } = request;
      return [request.device, `${firstEpoch}-${lastEpoch}`, checkpoint.size, createdMs, toHex(hash)].join(
        ' ',
      );
    },
    accessAnswer: (vector) => {
      const answer = verifyAccessAnswer(primitives, alice.verifier, bytes(vector, 'bytes'));
      const opened = openAccessAnswer(primitives, primitives.decapsulator(filled(0x0c, 32)), answer);
      const says =
        opened.verdict === 'refused'
          ? [opened.reason]
          : opened.keys.map(({ epoch: number, key: given }) => `${number}=${given.use(toHex)}`);
      return [opened.verdict, answer.author, answer.createdMs, ...says].join(' ');
    },
    printedShare: (vector) => readPrintedShare(vector['text'] ?? '').use(toHex),
    vaultFile: (vector) => {
      const file = parseVaultFile(primitives, bytes(vector, 'bytes'));
      const entries = openVaultFile(primitives, file, bytes(vector, 'root'));
      return [...entries].map(([name, value]) => `${name}=${toHex(value)}`).join(' ');
    },
  };
}

/** The frame that carries a heartbeat, apart from what it says. */
const HEARTBEAT = {
  kind: 'heartbeat',
  channel: new Uint8Array(16),
  startedMs: 0,
  sentMs: 0,
  maxAgeMs: 0,
  session: new Uint8Array(16),
  counter: 0,
} as const;

/** A device of docs/spec, from seeds of one repeated byte. */
function device(primitives: Primitives, signingSeed: number, sealingSeed: number) {
  const { publicKey } = primitives.signer(filled(signingSeed, 32));
  return {
    id: deviceIdOf(primitives, publicKey),
    verifier: primitives.verifier(publicKey),
    decapsulator: primitives.decapsulator(filled(sealingSeed, 32)),
  };
}

/** RFC 8949 §8, as far as CBOR of this project goes. */
function diagnostic(value: CborValue): string {
  if (value instanceof Uint8Array) return `h'${toHex(value)}'`;
  if (Array.isArray(value)) return `[${value.map(diagnostic).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${diagnostic(item)}`);
  return `{${pairs.join(', ')}}`;
}

/** A field's bytes; zeros follow up to `paddedTo`, which keeps files of what is too long short. */
function bytes(vector: FormatCase, field: string): Uint8Array {
  const read = fromHex(vector[field] ?? 'missing');
  if (read === null) throw new Error(`${vector['name']}: ${field} is not hex`);
  const padded = new Uint8Array(Math.max(read.length, Number(vector['paddedTo'] ?? 0)));
  padded.set(read);
  return padded;
}

function filled(byte: number, sizeBytes: number): Uint8Array {
  return new Uint8Array(sizeBytes).fill(byte);
}
