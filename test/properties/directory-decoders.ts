import { readFileSync } from 'node:fs';
import {
  decodeCbor,
  deviceId,
  encodeCbor,
  idBytes,
  signBytes,
  type DeviceId,
  type Signer,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  applyEntry,
  assertHandle,
  createExportStatement,
  DirectoryError,
  encodeApproval,
  encodeEntry,
  encodeEntryWire,
  formatInviteLink,
  inviteId,
  parseApproval,
  parseDeletionStatement,
  parseEntry,
  parseExportStatement,
  parseInviteLink,
  replay,
  signDeletionStatement,
  type DirectoryErrorCode,
  type DirectoryState,
  type Entry,
  type InviteLink,
} from '@keytide/key-directory';
import { Secret } from '@keytide/crypto-core';
import { eventfulWorld } from '../../packages/key-directory/test/history.ts';
import { through, type Decoder } from './decoder.ts';
import { bytesOf, textOf } from './text-input.ts';

const reader = (
  row: Omit<Decoder, 'error' | 'codes'>,
  codes: readonly DirectoryErrorCode[] = ['malformed', 'too-large', 'unsupported-version'],
): Decoder => ({ error: DirectoryError, codes, ...row });

const world = eventfulWorld('fuzz');
const wires = world.wires;
/** The state before each entry of the log; `null` before the first. */
const states = wires.reduce<(DirectoryState | null)[]>(
  (before, wire) => [...before, applyEntry(primitives, before.at(-1) ?? null, wire)],
  [null],
);
const signers = new Map<DeviceId, Signer>(
  world.members.flatMap(({ devices }) => devices.map(({ id, signer }) => [id, signer])),
);
const entries = wires.map((wire) => parseEntry(primitives, wire));
/** With approvals of nobody: only the judge looks at them. */
const approved = ((entry: Entry): Uint8Array => {
  const approvals = ['0a', 'fa'].map((byte) => ({
    device: deviceId(byte.repeat(32)),
    signature: new Uint8Array(64),
  }));
  return encodeEntryWire(entry.bytes, [{ device: entry.author, signature: entry.signature }, ...approvals]);
})(entries.at(-1) as Entry);

const [[speaker, speakersKey]] = signers as unknown as [[DeviceId, Signer]];
const { org, everyone: group } = world.state;
const root = idBytes(speaker);

/** What somebody signs, under the signature that came. */
function resigned(sign: (signer: Signer) => Uint8Array, input: Uint8Array): Uint8Array {
  const [, signature] = decodeCbor(input, input.length) as [Uint8Array, Uint8Array];
  const [bytes] = decodeCbor(sign(speakersKey), 512) as [Uint8Array, Uint8Array];
  return encodeCbor([bytes, signature]);
}

/** Readers of key-directory, the judge of whole entries among them. */
export const directoryDecoders: readonly Decoder[] = [
  reader({
    name: 'membership entry',
    corpus: () => [...wires, approved],
    rewrite: through(
      (bytes) => parseEntry(primitives, bytes),
      (entry) => {
        const { author, signature, approvals, ...fields } = entry;
        const sorted = approvals.toSorted((a, b) => (a.device < b.device ? -1 : 1));
        const signatures = [{ device: author, signature }, ...sorted];
        return encodeEntryWire(encodeEntry({ ...fields, author }), signatures);
      },
    ),
  }),
  reader(
    {
      name: 'membership entry, under its signature and judged',
      corpus: () => entries.filter(({ author }) => signers.has(author)).map(({ bytes }) => bytes),
      rewrite: (bytes) => {
        const { index, author } = placeOf(bytes);
        const signer = signers.get(author);
        const signature =
          signer === undefined ? new Uint8Array(64) : signBytes(primitives, signer, 'entrySignature', bytes);
        const wire = encodeEntryWire(bytes, [{ device: author, signature }]);
        replay(primitives, [wire], states[index] ?? null);
        return encodeEntry(parseEntry(primitives, wire));
      },
    },
    allCodes(),
  ),
  reader({
    name: 'approval',
    corpus: () => [encodeApproval({ device: deviceId('0a'.repeat(32)), signature: new Uint8Array(64) })],
    rewrite: through(parseApproval, encodeApproval),
  }),
  reader({
    name: 'export statement',
    corpus: () =>
      [1, 70_000].map((throughSeq) => {
        const said = { org, group, throughSeq, root, device: speaker, exportedMs: 1_767_225_600_000 };
        return createExportStatement(primitives, speakersKey, said);
      }),
    rewrite: through(parseExportStatement, (said, input) =>
      resigned((by) => createExportStatement(primitives, by, said), input),
    ),
  }),
  reader({
    name: 'deletion statement',
    corpus: () =>
      [1, 70_000].map((lastSeq) => {
        const said = { org, group, firstSeq: 1, lastSeq, root, deletedMs: 1_767_225_600_000 };
        return signDeletionStatement(primitives, speakersKey, said);
      }),
    rewrite: through(parseDeletionStatement, (said, input) =>
      resigned((by) => signDeletionStatement(primitives, by, said), input),
    ),
  }),
  reader({
    name: 'invite link',
    corpus: () => ['https://relay.example.org', 'http://127.0.0.1:8080', 'http://[::1]'].map(inviteLink),
    rewrite: through(
      (bytes) => parseInviteLink(textOf(bytes)),
      (link) => bytesOf(formatInviteLink(link)),
    ),
  }),
  reader(
    {
      name: 'invite id',
      corpus: () => [bytesOf('5a'.repeat(32))],
      rewrite: (bytes) => bytesOf(inviteId(textOf(bytes))),
    },
    ['malformed'],
  ),
  reader(
    {
      name: 'handle',
      corpus: () => ['Ana', 'Zoë van Dijk', 'क्\u200dष'].map((text) => Uint8Array.from(Buffer.from(text))),
      rewrite: (bytes) => {
        const text = Buffer.from(bytes).toString();
        assertHandle(text);
        return Uint8Array.from(Buffer.from(text));
      },
    },
    ['bad-handle'],
  ),
];

/** Where an entry says that it stands, and who wrote it, if it says so. */
function placeOf(bytes: Uint8Array): { index: number; author: DeviceId } {
  const founder = world.members[0].devices[0].id;
  try {
    const fields = decodeCbor(bytes, bytes.length);
    const [, , index, , , author] = fields as readonly unknown[];
    return { index: Number(index), author: deviceId(author as Uint8Array) };
  } catch {
    return { index: 0, author: founder };
  }
}

function inviteLink(relayUrl: string): Uint8Array {
  const link: InviteLink = {
    relayUrl,
    org: world.org,
    checkpoint: { size: world.state.size, root: world.state.root },
    seed: Secret.own(idBytes(world.members[0].devices[0].id)),
  };
  return bytesOf(formatInviteLink(link));
}

/** Every code there is: the judge may give any. */
function allCodes(): DirectoryErrorCode[] {
  const source = new URL('../../packages/key-directory/src/errors.ts', import.meta.url);
  return [...readFileSync(source, 'utf8').matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(
    ([, code]) => code as DirectoryErrorCode,
  );
}
