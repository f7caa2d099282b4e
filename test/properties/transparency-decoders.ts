import { deviceIdOf, uint32Bytes, type MemberId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  checkpointText,
  DirectoryError,
  EMPTY_MAP_ROOT,
  encodeAnchor,
  entryBundle,
  headsOf,
  noteKeyText,
  openMapNote,
  parseAnchor,
  parseCheckpointText,
  parseDeviceHead,
  parseEntryBundle,
  parseForkProof,
  parseMemberHead,
  parseNote,
  parseNoteKey,
  parseOrganisationHead,
  parseTilePath,
  proveLookup,
  replay,
  tilePath,
  updateMap,
  verifyForkProof,
  verifyLookup,
  type Anchor,
  type DirectoryErrorCode,
  type MapItem,
} from '@keytide/key-directory';
import { forkProofBytes } from '../../packages/key-directory/src/evidence/fork-proof.ts';
import {
  encodeDeviceHead,
  encodeMemberHead,
  encodeOrganisationHead,
} from '../../packages/key-directory/src/map/head.ts';
import { readNode, storedNode } from '../../packages/key-directory/src/map/node.ts';
import { fromBase64, toBase64 } from '../../packages/key-directory/src/note/base64.ts';
import * as evidence from '../../packages/key-directory/test/evidence/case.ts';
import { NodeStore } from '../../packages/key-directory/test/map/node-store.ts';
import { through, type Decoder } from './decoder.ts';
import { bytesOf, textOf } from './text-input.ts';

const { adminKey, checkpointAt, noteBy, otherWires, outsiderKey, relayKey, wires } = evidence;
const { admin, outsider, relay } = evidence;
const reader = (
  row: Omit<Decoder, 'error' | 'codes'>,
  codes: readonly DirectoryErrorCode[] = ['malformed', 'too-large', 'unsupported-version'],
): Decoder => ({ error: DirectoryError, codes, ...row });

const checkpoint = checkpointAt(wires, wires.length);
const note = noteBy(checkpoint, relay, admin);
const keys = [relayKey, adminKey, outsiderKey];
const forkProof = forkProofBytes(primitives, {
  kind: 'checkpoints',
  keys,
  first: noteBy(checkpoint, relay, admin, outsider),
  second: noteBy(checkpointAt(otherWires, wires.length), relay, admin),
  olderRoot: null,
  consistency: [],
});
const logFork = { kind: 'log' as const, keys, note, wires: wires.slice(0, 2), consistency: [] };

const heads = headsOf(primitives, replay(primitives, wires));
const isRead = (read: (leaf: Uint8Array) => unknown, leaf: Uint8Array): boolean => {
  try {
    read(leaf);
    return true;
  } catch {
    return false;
  }
};
const leavesOf = (read: (leaf: Uint8Array) => unknown): Uint8Array[] =>
  heads.map(({ leaf }) => leaf).filter((leaf) => isRead(read, leaf));
const nodes = new NodeStore();
const mapRoot = nodes.keep(await updateMap(primitives, nodes, EMPTY_MAP_ROOT, heads));
const { key } = heads[0] as MapItem;
const lookup = await proveLookup(primitives, nodes, mapRoot, key);

const { policy, policyAt, activeDevices, actingAdmins: admins, size: since } = replay(primitives, wires);
const cosigner = {
  member: admins[0] as MemberId,
  device: deviceIdOf(primitives, adminKey.publicKey),
  signingPublicKey: adminKey.publicKey,
  timeSeconds: 1_893_456_000,
};
const organisation = { policyAt, activeDevices, admins, since };
const anchor: Anchor = {
  checkpoint: openMapNote(note).checkpoint,
  note,
  organisation,
  policy,
  cosigners: [cosigner],
};

/** Readers of what makes a membership log public: notes, tiles, the map and evidence. */
export const transparencyDecoders: readonly Decoder[] = [
  reader(
    {
      name: 'signed note',
      corpus: () => [note, noteBy(checkpoint, relay)],
      rewrite: through(parseNote, ({ text, signatures }) => {
        const lines = signatures.map(({ name, keyId, signature }) => {
          const bytes = Buffer.concat([uint32Bytes(keyId), signature]);
          return `\u2014 ${name} ${bytes.toString('base64')}\n`;
        });
        return Uint8Array.from(Buffer.from(`${text}\n${lines.join('')}`));
      }),
    },
    ['malformed', 'too-large'],
  ),
  reader(
    {
      name: 'text of a checkpoint',
      corpus: () => [
        bytesOf(checkpointText(checkpoint)),
        bytesOf(checkpointText({ ...checkpoint, mapRoot: null })),
      ],
      // Lines of others are allowed, and not kept.
      rewrite: through(
        (bytes) => parseCheckpointText(textOf(bytes)),
        ({ origin, size, root, mapRoot: map }, bytes) => {
          const others = textOf(bytes).split('\n').slice(3, -1);
          const lines = others.map((line) =>
            line.startsWith('keytide-map/v1 ') && map !== null ? `keytide-map/v1 ${toBase64(map)}` : line,
          );
          return bytesOf([origin, size, toBase64(root), ...lines, ''].join('\n'));
        },
      ),
    },
    ['malformed'],
  ),
  reader(
    {
      name: 'note key',
      corpus: () => keys.map((each) => bytesOf(noteKeyText(primitives, each))),
      rewrite: through(
        (bytes) => parseNoteKey(primitives, textOf(bytes)),
        (read) => bytesOf(noteKeyText(primitives, read)),
      ),
    },
    ['malformed'],
  ),
  reader({
    name: 'base64 with padding',
    corpus: () => ['', 'AA==', '+/8=', 'AAEC'].map(bytesOf),
    rewrite: (bytes) => {
      const read = fromBase64(textOf(bytes));
      return read === null ? null : bytesOf(toBase64(read));
    },
  }),
  reader(
    {
      name: 'bundle of entries',
      corpus: () => [
        entryBundle(wires.slice(0, 3)),
        entryBundle([new Uint8Array(0), wires[0] as Uint8Array, new Uint8Array(1)]),
      ],
      rewrite: through((bytes) => parseEntryBundle(bytes, 3), entryBundle),
    },
    ['malformed'],
  ),
  reader({
    name: 'path of a tile',
    corpus: () => ['tile/0/x001/x234/067.p/8', 'tile/entries/000', 'tile/63/005'].map(bytesOf),
    rewrite: (bytes) => {
      const name = parseTilePath(textOf(bytes));
      return name === null ? null : bytesOf(tilePath(name));
    },
  }),
  reader({
    name: 'head of a device',
    corpus: () => leavesOf(parseDeviceHead),
    rewrite: through(parseDeviceHead, encodeDeviceHead),
  }),
  reader({
    name: 'head of a member',
    corpus: () => leavesOf(parseMemberHead),
    rewrite: through(parseMemberHead, encodeMemberHead),
  }),
  reader({
    name: 'head of an organisation',
    corpus: () => leavesOf(parseOrganisationHead),
    rewrite: through(parseOrganisationHead, encodeOrganisationHead),
  }),
  reader(
    {
      name: 'stored node of the map',
      corpus: () => [...nodes.nodes.values()],
      rewrite: async (bytes) => {
        const node = await readNode({ readNode: async () => bytes }, mapRoot);
        return storedNode(primitives, node).bytes;
      },
    },
    ['malformed'],
  ),
  reader(
    {
      name: 'lookup in the map',
      corpus: () => [lookup],
      rewrite: (bytes) => {
        verifyLookup(primitives, mapRoot, key, bytes);
        return lookup;
      },
    },
    ['bad-proof', 'malformed', 'too-large', 'unsupported-version'],
  ),
  reader(
    {
      name: 'anchor of trust',
      corpus: () => [encodeAnchor(anchor), encodeAnchor({ ...anchor, cosigners: [] })],
      rewrite: through((bytes) => parseAnchor(primitives, bytes), encodeAnchor),
    },
    ['bad-proof', 'malformed', 'too-large', 'unsupported-version'],
  ),
  reader({
    name: 'file of evidence',
    corpus: () => [forkProof, forkProofBytes(primitives, logFork)],
    rewrite: through(
      (bytes) => parseForkProof(primitives, bytes),
      (proof) => forkProofBytes(primitives, proof),
    ),
  }),
  reader(
    {
      name: 'file of evidence, judged',
      corpus: () => [forkProof],
      rewrite: through(
        (bytes) => {
          verifyForkProof(primitives, bytes);
          return parseForkProof(primitives, bytes);
        },
        (proof) => forkProofBytes(primitives, proof),
      ),
    },
    ['bad-proof', 'malformed', 'too-large', 'unsupported-version', 'bad-signature', 'bad-key'],
  ),
];
