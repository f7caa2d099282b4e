import {
  decodeCbor,
  deviceIdOf,
  encodeCbor,
  idBytes,
  memberId,
  sorted,
  type Primitives,
} from '@keytide/crypto-core';
import { z } from 'zod';
import { badProof } from '../bad-proof.ts';
import { policyMap } from '../body-codec.ts';
import { parseEntry } from '../entry.ts';
import { DirectoryError, inDirectoryTerms } from '../errors.ts';
import { encodeOrganisationHead, parseOrganisationHead, type OrganisationHead } from '../map/head.ts';
import { parseCheckpointText } from '../note/checkpoint-text.ts';
import { logNoteKey } from '../note/cosignature.ts';
import { MAX_NOTE_BYTES, parseNote, type SignedNote } from '../note/note.ts';
import { verifyNote } from '../note/verify-note.ts';
import { policySchema, type Policy } from '../policy.ts';
import type { Cosigner } from './cosigners.ts';
import { requireIncluded } from './in-log.ts';
import { readOrganisation } from './read-heads.ts';
import { requireEntry, type MapCheckpoint, type ProofTools } from './source.ts';

/** A checkpoint that its holder believes, and what follows from it: where the next step of trust starts. */
export interface Anchor {
  readonly checkpoint: MapCheckpoint;
  /** The note that it came in, with the signature of the policy's relay key. */
  readonly note: Uint8Array;
  readonly organisation: OrganisationHead;
  readonly policy: Policy;
  /** Admins' devices, active ones at this checkpoint, that cosigned it; none where it was believed for another reason. */
  readonly cosigners: readonly Cosigner[];
}

/** Reads a note of a membership log with its map. @throws DirectoryError `malformed`, `too-large`, `bad-proof` without a map */
export function openMapNote(note: Uint8Array): { parsed: SignedNote; checkpoint: MapCheckpoint } {
  const parsed = parseNote(note);
  const { mapRoot, ...rest } = parseCheckpointText(parsed.text);
  if (mapRoot === null) throw badProof('a checkpoint without the map');
  return { parsed, checkpoint: { ...rest, mapRoot } };
}

/**
 * What a believed checkpoint says of the organisation. The policy is that of the entry that the organisation's head
 * names, proved to be in the log; `known`: an earlier anchor of the same log, whose policy may be in force still.
 * @throws DirectoryError `bad-proof`, `not-stored`, `bad-signature` unless the relay key of the policy signed the note
 */
export async function settle(
  tools: ProofTools,
  note: Uint8Array,
  cosigners: readonly Cosigner[],
  known: Anchor | null = null,
): Promise<Anchor> {
  const { parsed, checkpoint } = openMapNote(note);
  const organisation = await readOrganisation(tools, checkpoint);
  const policy =
    known?.organisation.policyAt === organisation.policyAt
      ? known.policy
      : await readPolicy(tools, checkpoint, organisation.policyAt);
  const { relayKey } = policy;
  const isSigned =
    relayKey !== undefined &&
    verifyNote(tools.primitives, parsed, [logNoteKey(checkpoint.origin, relayKey)]).verified.length > 0;
  if (!isSigned)
    throw new DirectoryError('bad-signature', 'the key of the policy did not sign the checkpoint');
  return { checkpoint, note, organisation, policy, cosigners };
}

/** Until when the anchor counts as witnessed, in seconds since 1970; 0 where too few have cosigned it, or nobody has to. */
export function witnessedUntil({ organisation, policy, cosigners }: Anchor): number {
  const { witnesses } = policy;
  if (witnesses === undefined) return 0;
  const times = sorted(
    cosigners.map(({ timeSeconds }) => timeSeconds),
    (a, b) => b - a,
  );
  const oldest = times[Math.min(witnesses.needed, organisation.admins.length) - 1];
  return oldest === undefined ? 0 : oldest + witnesses.maxAgeSeconds;
}

async function readPolicy(tools: ProofTools, checkpoint: MapCheckpoint, index: number): Promise<Policy> {
  const wire = await requireEntry(tools.source, index);
  await requireIncluded(tools, checkpoint, index, wire);
  const { body } = parseEntry(tools.primitives, wire);
  if (!('policy' in body)) throw badProof('the entry sets no policy');
  return body.policy;
}

const VERSION = 1;
const MAX_ANCHOR_BYTES = MAX_NOTE_BYTES + 64 * 1024;

/** CBOR `[1, note, organisation head, policy, [[member, signing key, time], …]]`: an anchor as its holder keeps it. */
export function encodeAnchor({ note, organisation, policy, cosigners }: Anchor): Uint8Array {
  const rows = cosigners.map(({ member, signingPublicKey, timeSeconds }) => [
    idBytes(member),
    signingPublicKey,
    timeSeconds,
  ]);
  return encodeCbor([VERSION, note, encodeOrganisationHead(organisation), policyMap(policy), rows]);
}

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const bytesOf = (size: number): z.ZodType<Uint8Array> => bytes.refine((value) => value.length === size);
const anchorSchema = z.tuple([
  z.literal(VERSION),
  bytes,
  bytes,
  policySchema,
  z.array(z.tuple([bytesOf(16).transform(memberId), bytesOf(32), z.int().min(0)])),
]);

/**
 * Reads what `encodeAnchor` wrote, from where nobody else can write: nothing is verified again.
 * @throws DirectoryError `malformed`, `too-large`, `unsupported-version`
 */
export function parseAnchor(primitives: Primitives, stored: Uint8Array): Anchor {
  const value = inDirectoryTerms(() => decodeCbor(stored, MAX_ANCHOR_BYTES));
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] !== VERSION)
    throw new DirectoryError('unsupported-version', 'an anchor of a version that this build does not know');
  const fields = anchorSchema.safeParse(value).data;
  if (fields === undefined) throw new DirectoryError('malformed', 'not an anchor');
  const [, note, organisation, policy, rows] = fields;
  return {
    checkpoint: openMapNote(note).checkpoint,
    note,
    organisation: parseOrganisationHead(organisation),
    policy,
    cosigners: rows.map(([member, signingPublicKey, timeSeconds]) => {
      return { member, device: deviceIdOf(primitives, signingPublicKey), signingPublicKey, timeSeconds };
    }),
  };
}
