import type { ArchiveKeySet } from '@keytide/client';
import {
  CryptoError,
  equalBytes,
  fromHex,
  MAX_QUORUM_SET_BYTES,
  parseQuorumSet,
  toHex,
  type QuorumSet,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { Context } from './context.ts';
import { withDevice } from './device.ts';
import { CliError, type CliErrorCode } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { readFileBytes } from './file-bytes.ts';
import type { Keytide } from './organisation.ts';
import { usageError } from './usage.ts';

/** Which set, and by what it is checked. */
export interface SetOptions {
  readonly set: string;
  /** `false` for `--no-device`. */
  readonly device: boolean;
  readonly fingerprint?: string;
}

/** `log`: the dealer's signature and the key, by this device's copy of the membership log. Otherwise the key alone, or nothing. */
type Checked = 'log' | 'fingerprint' | 'nothing';

/** A set, and what of it was checked against what. */
export interface KnownSet {
  readonly set: QuorumSet;
  /** For programs: the fingerprint of the key, the hash of the set, both in hexadecimal, and what was checked. */
  readonly said: {
    readonly key: string;
    readonly set: string;
    readonly checked: Checked;
    readonly dealer?: ArchiveKeySet['dealer'];
    readonly isCurrent?: boolean;
  };
  readonly lines: readonly string[];
}

/** Reads a set, by a device of the organisation, or without one. @throws CliError as `readLogged` and `readUnlogged` */
export async function knownSet(context: Context, options: SetOptions): Promise<KnownSet> {
  const wire = await readFileBytes(options.set, MAX_QUORUM_SET_BYTES);
  const known = options.device
    ? await withDevice(context, async (client) => loggedSet(readLogged(client, wire)))
    : readUnlogged(wire, options.fingerprint);
  for (const line of known.lines) context.output.note(line);
  return known;
}

/** A client of any application, as far as it judges sets. */
export type SetJudge = Pick<Keytide, 'readArchiveKeySet'>;

/** A set by this device's copy of the log; needs no relay. @throws CliError `not-a-set`, `altered-set`, `foreign-set`, `other-key` */
export function readLogged(client: SetJudge, wire: Uint8Array): ArchiveKeySet {
  try {
    return client.readArchiveKeySet(wire);
  } catch (error) {
    throw setError(error);
  }
}

/** What this device's copy of the log says of a set. */
export function loggedSet({ set, dealer, isCurrent }: ArchiveKeySet): KnownSet {
  const lines = [
    ...described(set),
    `Dealt by ${dealer.handle}, whose device is in the membership log, and signed by it; the key is ${
      isCurrent ? "the policy's" : 'one that the policy had before'
    }.`,
  ];
  if (dealer.role !== 'admin')
    lines.push(
      `${dealer.handle} is no admin now: ask whether this set is the one that the organisation made.`,
    );
  return { set, said: { ...named(set), checked: 'log', dealer, isCurrent }, lines };
}

function readUnlogged(wire: Uint8Array, digits: string | undefined): KnownSet {
  const expected = digits === undefined ? null : fromHex(digits.replaceAll(/[\s-]/g, '').toLowerCase());
  if (digits !== undefined && expected?.length !== 32)
    throw usageError(
      '--fingerprint is 64 hexadecimal digits',
      'Give those after "Key" on a holder\'s sheet.',
    );
  let set: QuorumSet;
  try {
    set = parseQuorumSet(primitives, wire);
  } catch (error) {
    throw setError(error);
  }
  if (set.kind !== 'x-wing-seed') throw setRefusal('other-key');
  if (expected !== null && !equalBytes(expected, set.fingerprint)) throw setRefusal('other-key');
  const key =
    expected === null
      ? 'Not checked: who dealt it, and of which key it is. Compare "Key" and "Set" with the holders\' sheets.'
      : 'Checked: it is of the key with that fingerprint. Not checked: who dealt it; compare "Set" with the holders\' sheets.';
  const checked: Checked = expected === null ? 'nothing' : 'fingerprint';
  return { set, said: { ...named(set), checked }, lines: [...described(set), key] };
}

function named({ fingerprint, hash }: QuorumSet): { key: string; set: string } {
  return { key: toHex(fingerprint), set: toHex(hash) };
}

function described(whole: QuorumSet): string[] {
  const { threshold, holders, createdMs } = whole;
  const { key, set } = named(whole);
  const names = holders.map(({ name }) => name).join(', ');
  return [
    `Key ${key}`,
    `Set ${set}, of ${new Date(createdMs).toISOString().slice(0, 10)}: any ${threshold} of ${names}.`,
  ];
}

type SetFault = Extract<CliErrorCode, 'not-a-set' | 'altered-set' | 'foreign-set' | 'other-key'>;

const REFUSALS: Readonly<Record<SetFault, readonly [message: string, next: string]>> = {
  'not-a-set': ['not a set of shares', 'Give the file archive-key.set that `keytide archive-key` wrote.'],
  'altered-set': [
    'the set was altered after it was signed',
    'Ask another holder for their copy of the file.',
  ],
  'foreign-set': [
    'a set of another organisation, or dealt by no admin of this one',
    "Give the set that belongs to the holders' sheets, or another --home.",
  ],
  'other-key': [
    'a set of another key',
    'The key of the policy is in `keytide policy show`. Of a key that is not in the policy yet: --no-device with --fingerprint.',
  ],
};

/** A set that is refused, for a person. */
export function setRefusal(code: SetFault): CliError {
  const [message, next] = REFUSALS[code];
  return new CliError(code, EXIT.usage, message, next);
}

/** What is wrong with a set, for a person; any other error as it is. */
export function setError(error: unknown): unknown {
  if (!(error instanceof CryptoError)) return error;
  if (error.code === 'bad-signature') return setRefusal('altered-set');
  if (error.code === 'wrong-context') return setRefusal('foreign-set');
  if (error.code === 'commitment-mismatch') return setRefusal('other-key');
  return setRefusal('not-a-set');
}
