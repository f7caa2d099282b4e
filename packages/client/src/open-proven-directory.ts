import { deviceIdOf, type OrgId } from '@keytide/crypto-core';
import {
  anchorByInvite,
  DirectoryError,
  inviteIdOf,
  originOf,
  parseInviteLink,
  settle,
  type Anchor,
  type InvitedTo,
} from '@keytide/key-directory';
import { CheckpointKeeper } from './checkpoint-keeper.ts';
import { ClientError } from './errors.ts';
import { loadIdentity } from './identity.ts';
import { isBefore } from './next-anchor.ts';
import type { DeviceStore, Ports } from './ports.ts';
import { ProvenDirectory, REPLAY_LIMIT, type ProvenDirectoryTools } from './proven-directory.ts';
import { loadProven } from './proven-record.ts';
import { RelayApi } from './relay-api.ts';
import type { Login } from './relay-session.ts';

/** What a proven directory is opened with. */
export interface ProvenDirectoryOptions {
  readonly ports: Ports;
  readonly store: Pick<DeviceStore, 'keys'>;
  /** An invite link, for who has not joined; the first time its inviter's word is where trust starts. */
  readonly link?: string;
  /** Up to how many active devices the organisation has to be replayed; 5,000 unless a test says otherwise. */
  readonly replayLimit?: number;
}

/**
 * The organisation by proofs, for an app that does not replay its log (docs/spec/proof-mode.md). The first time it
 * starts from what this device has replayed, or from an invite, and needs the relay; after that it opens as it was
 * left, and `refresh` goes on.
 * @throws ClientError `no-organisation` for a store without one, and without a link; `replay-needed` where the policy
 *   demands no witnesses, where the organisation is small, where this device has replayed nothing yet, and where the
 *   link does not name a log with its invite, as that of a proposed one;
 *   `offline`, `unwitnessed`, `relay-misbehaved`, `relay-forked`; DirectoryError `malformed` for a link that is none
 */
export async function openProvenDirectory(options: ProvenDirectoryOptions): Promise<ProvenDirectory> {
  const { ports, store, replayLimit = REPLAY_LIMIT } = options;
  const { primitives, random, clock } = ports;
  const from = await startOf(options);
  const api = new RelayApi(ports, from.relayUrl, from.org, from.login);
  const device = from.kind === 'replay' ? deviceIdOf(primitives, from.login.signer.publicKey) : null;
  const tools = { primitives, random, clock, keyStore: store.keys, api, device, replayLimit };
  const stored = await loadProven(primitives, store.keys);
  if (stored !== null) {
    if (stored.record.anchor.checkpoint.origin !== originOf(from.org))
      throw new ClientError('store-damaged', 'the stored directory is another organisation’s');
    return new ProvenDirectory(tools, stored.record, stored.heads);
  }
  const anchor = await firstAnchor(tools, from);
  if (anchor.policy.witnesses === undefined)
    throw new ClientError('replay-needed', 'nobody has to witness this log, so it has to be replayed');
  const firstSize = anchor.checkpoint.size;
  const directory = new ProvenDirectory(tools, { anchor, firstSize, newestSeconds: 0 }, []);
  await directory.refresh();
  return directory;
}

interface Start {
  readonly kind: 'replay' | 'invite';
  readonly org: OrgId;
  readonly relayUrl: string;
  readonly login: Login;
  readonly invited: InvitedTo | null;
}

/** A device that has joined asks as itself, anybody else as the holder of the link. */
async function startOf({ ports, store, link }: ProvenDirectoryOptions): Promise<Start> {
  const { primitives } = ports;
  const stored = await loadIdentity(store.keys);
  if (stored !== null && stored.pending === null) {
    const { org, relayUrl, signingSeed } = stored.identity;
    const signer = signingSeed.use((seed) => primitives.signer(seed));
    const subject = { kind: 'device', id: deviceIdOf(primitives, signer.publicKey) } as const;
    return { kind: 'replay', org, relayUrl, login: { subject, signer }, invited: null };
  }
  if (link === undefined)
    throw new ClientError('no-organisation', 'this store holds no organisation, and there is no invite');
  const { org, relayUrl, seed, checkpoint } = parseInviteLink(link);
  const signer = seed.use((bytes) => primitives.signer(bytes));
  const invite = inviteIdOf(primitives, signer.publicKey);
  const login = { subject: { kind: 'invite', id: invite } as const, signer };
  return { kind: 'invite', org, relayUrl, login, invited: { org, invite, checkpoint } };
}

async function firstAnchor(
  { primitives, api, clock, keyStore }: ProvenDirectoryTools,
  { org, invited }: Start,
): Promise<Anchor> {
  const proofs = { primitives, source: api };
  try {
    if (invited === null) {
      const { newest } = await CheckpointKeeper.open({ primitives, keyStore, org });
      if (newest === null) throw new ClientError('replay-needed', 'this device has not replayed the log yet');
      return await settle(proofs, newest.note, []);
    }
    const nowSeconds = Math.floor(clock.now() / 1000);
    const cosigned = await api.readCosigned();
    // What was cosigned before the invite is no lie. What is of before it and shown as the newest is.
    const later = cosigned.filter((note) => !isBefore(note, invited.checkpoint));
    for (const note of [await api.readCheckpoint(), ...later]) {
      const anchor = await anchorByInvite(proofs, invited, note, nowSeconds).catch(unlessUnwitnessed);
      if (anchor !== null) return anchor;
    }
  } catch (cause) {
    if (!(cause instanceof DirectoryError)) throw cause;
    if (cause.code === 'invite-unknown')
      throw new ClientError('replay-needed', 'the log of this link is of before its invite', { cause });
    throw new ClientError('relay-misbehaved', 'the relay’s answers prove nothing', {
      cause,
      evidence: cause.evidence,
    });
  }
  throw new ClientError('unwitnessed', 'the device that made the invite has not cosigned the log');
}

function unlessUnwitnessed(error: unknown): null {
  if (error instanceof DirectoryError && error.code === 'unwitnessed') return null;
  throw error;
}
