import { deviceId, equalBytes, memberId, type MemberId } from '@keytide/crypto-core';
import {
  DirectoryError,
  headKey,
  randomSize,
  treeRoot,
  verifyLookup,
  type HeadName,
} from '@keytide/key-directory';
import type { MembershipLog } from './append-entry.ts';
import { ClientError } from './errors.ts';
import type { SignedCheckpoint } from './signed-checkpoint.ts';

/** What the relay answered about one's own member when it was asked as anybody may ask. */
export interface RelayAudit {
  /** The checkpoint under which it answered, as it signed it; `null` where the policy names no relay's key. */
  readonly checkpoint: { readonly size: number; readonly note: Uint8Array } | null;
  /** How many lookups it proved right: of one's own member and devices, the organisation, and ids that nobody has. */
  readonly lookups: number;
  /** The size of the log at which its tiles gave the root that this device knows; drawn at random. */
  readonly rebuilt: number | null;
  /** What it answered that cannot be true, `evidence` as everywhere; `null` when there is nothing. */
  readonly contradiction: ClientError | null;
}

/**
 * Asks the relay what it tells others about one's own member, and compares (docs/spec/transparency.md, Monitor).
 * @throws ClientError `offline`, `relay-refused`; a contradiction is part of the answer
 */
export async function auditRelay(log: MembershipLog, member: MemberId): Promise<RelayAudit> {
  const { directory } = log;
  let own: SignedCheckpoint | null = directory.checkpoint;
  let lookups = 0;
  let rebuilt: number | null = null;
  let contradiction: ClientError | null = null;
  try {
    await log.pullDirectory();
    own = directory.checkpoint;
    if (own !== null) {
      for (const name of namesOf(log, member)) {
        await lookUp(log, own, name);
        lookups += 1;
      }
      const size = randomSize(log.ports.random, 1, own.size);
      await rebuild(log, own, size);
      rebuilt = size;
    }
  } catch (error) {
    if (!(error instanceof ClientError) || !PROVES_WRONG.includes(error.code)) throw error;
    contradiction = error;
  }
  return {
    checkpoint: own === null ? null : { size: own.size, note: own.note.slice() },
    lookups,
    rebuilt,
    contradiction,
  };
}

const PROVES_WRONG: readonly ClientError['code'][] = ['relay-forked', 'relay-misbehaved'];

/** One's own member and all its devices, the organisation, and ids that nobody has. */
function namesOf({ ports, directory }: MembershipLog, member: MemberId): HeadName[] {
  const own = [...directory.state.devices.values()].filter((device) => device.member === member);
  return [
    { of: 'organisation' },
    { of: 'member', id: member },
    ...own.map(({ id }) => ({ of: 'device', id }) as const),
    { of: 'member', id: memberId(ports.random(16)) },
    { of: 'device', id: deviceId(ports.random(32)) },
  ];
}

/** A right proof under the map root that this device has computed leaves one answer, so it need not be read. */
async function lookUp(
  { api, ports, directory }: MembershipLog,
  own: SignedCheckpoint,
  name: HeadName,
): Promise<void> {
  const { primitives } = ports;
  const { checkpoint: note, lookup } = await api.lookUp(name, own.size).catch((error: unknown) => {
    // It denies what it has just shown.
    const isDenied = error instanceof ClientError && error.relayCode === 'not-found';
    throw isDenied ? misbehaved([own.note], error) : error;
  });
  await directory.requireSame(own, note, api);
  judged([note, lookup], () =>
    verifyLookup(primitives, own.mapRoot as Uint8Array, headKey(primitives, name), lookup),
  );
}

/** Computes the root of the first `size` entries from the relay's tiles. */
async function rebuild(
  { api, ports, directory }: MembershipLog,
  own: SignedCheckpoint,
  size: number,
): Promise<void> {
  const root = await treeRoot(ports.primitives, api, size).catch((error: unknown) => {
    throw error instanceof DirectoryError ? misbehaved([own.note], error) : error;
  });
  if (!equalBytes(root, directory.rootAt(size) as Uint8Array)) throw misbehaved([own.note]);
}

function judged<T>(shown: readonly Uint8Array[], judge: () => T): T {
  try {
    return judge();
  } catch (error) {
    throw error instanceof DirectoryError ? misbehaved(shown, error) : error;
  }
}

/** `evidence`: what it signed, and the answer that is not under it. */
function misbehaved(evidence: readonly Uint8Array[], cause?: Error): ClientError {
  const message = 'the relay proves something else of the membership log than it has signed';
  return new ClientError('relay-misbehaved', message, {
    evidence,
    ...(cause === undefined ? {} : { cause }),
  });
}
