import { ABILITY_LIBSIGNAL, deviceIdOf, encodeCbor, equalBytes, type MemberId } from '@keytide/crypto-core';
import {
  acceptDeviceInvite,
  acceptInvite,
  assertHandle,
  createGenesis,
  inviteIdOf,
  isActive,
  newMemberId,
  parseInviteLink,
  replay,
  type AcceptInviteInput,
  type OwnDevice,
  type Policy,
} from '@keytide/key-directory';
import { Client } from './client.ts';
import type { ClientOptions } from './client-options.ts';
import type { Declarations } from './collection.ts';
import { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import {
  clearPending,
  createSeeds,
  loadIdentity,
  saveIdentity,
  wasJoinedBy,
  type Identity,
  type Pending,
} from './identity.ts';
import { registerOrganisation, RelayApi } from './relay-api.ts';
import { pinned, pinRelay } from './relay-pin.ts';
import { requireRetention } from './retained.ts';
import { sealingTimesOf } from './sealing-times.ts';
import { vouched, type Vouching } from './vouched.ts';
import { wiped } from './wipe.ts';

/**
 * Blocks of a day; 30 days readable on members' devices; 60 days on the relay; a device that was away receives
 * keys for a week after its sealing key has ended, so that nobody loses messages over a long weekend. What nobody has
 * exported goes at its time as well: whoever wants it kept until then says so.
 */
export const DEFAULT_POLICY: Policy = {
  blockSeconds: 86_400,
  retentionSeconds: 30 * 86_400,
  exportSeconds: 60 * 86_400,
  silenceSeconds: 7 * 86_400,
  exportWaived: true,
};

const JOIN_ATTEMPTS = 8;

export interface CreateOrganisationOptions<D extends Declarations> extends ClientOptions<D>, Vouching {
  /** Where the relay is, such as `https://relay.example.org`. */
  readonly relayUrl: string;
  /** The name others see; the relay sees it too. 1 to 64 characters. */
  readonly handle: string;
  readonly policy?: Policy;
}

export interface JoinOptions<D extends Declarations> extends ClientOptions<D>, Vouching {
  /** The invite link, fragment included. */
  readonly link: string;
  /**
   * The name others see; the relay sees it too. 1 to 64 characters. Needed with an invite for a new member; not
   * looked at with one for another device of somebody who has a name.
   */
  readonly handle?: string;
}

/**
 * Makes a new organisation with this device as its first admin; resolves once it is online. After a failure,
 * calling it again with the same store goes on where it stopped; once it is made, calling it again with the
 * same relay, handle and policy changes nothing. The key that the relay shows becomes its `relayKey` in the
 * policy, or has to be the one that the given policy names.
 * @throws ClientError `already-joined`, `offline`, `relay-refused`, `relay-misbehaved`; DirectoryError for an
 *   unusable handle or policy
 */
export async function createOrganisation<D extends Declarations>(
  options: CreateOrganisationOptions<D>,
): Promise<Client<D>> {
  const { store } = options;
  let stored = await loadIdentity(store.keys);
  if (stored === null) {
    await foundOrganisation(options);
    stored = await loadIdentity(store.keys);
  }
  if (stored?.pending?.kind === 'genesis') return await finish(options, stored.identity, stored.pending);
  if (stored?.pending !== null || !(await wasFoundedBy(options, stored.identity))) throw alreadyJoined();
  return await opened(options, stored.identity);
}

/**
 * Joins an organisation by invite link, as a new member or as another device of one: the log says which. Resolves
 * once it is online. The membership log is replayed from its
 * beginning and must pass through the checkpoint in the link, so a relay cannot put another organisation in
 * its place. After a failure, calling it again with the same store and link goes on where it stopped, also
 * with a used-up invite, and changes nothing once it has joined.
 * @throws ClientError `already-joined`, `offline`, `relay-refused`, `relay-forked`, `handle-needed`; DirectoryError
 *   `malformed` for a link that is not one, `invite-expired`, `invite-used`, `invite-revoked`
 */
export async function join<D extends Declarations>(options: JoinOptions<D>): Promise<Client<D>> {
  const { store, ports, link, handle = null } = options;
  let stored = await loadIdentity(store.keys);
  if (stored === null) {
    const invite = parseInviteLink(link);
    if (handle !== null) assertHandle(handle);
    const identity = {
      org: invite.org,
      relayUrl: invite.relayUrl,
      member: newMemberId(ports.random),
      ...createSeeds(ports.random),
    };
    await saveIdentity(store.keys, identity, { kind: 'join', link, handle }, invite.checkpoint);
    stored = await loadIdentity(store.keys);
  }
  if (stored?.pending?.kind === 'join' && stored.pending.link === link) {
    const { pending } = stored;
    return await finish(options, stored.identity, { ...pending, handle: handle ?? pending.handle });
  }
  if (stored?.pending !== null || !(await wasJoinedBy(store.keys, ports.primitives, link)))
    throw alreadyJoined();
  return await opened(options, stored.identity);
}

/**
 * Opens the organisation that this store belongs to. Works without the network; connects by itself. Where an earlier
 * `createOrganisation` or `join` was cut off, it finishes that, for which it needs the relay.
 * @throws ClientError `no-organisation`; `wiped` where it was told to destroy what it held: `join` again;
 *   `store-damaged`, which another attempt does not mend; of an enrolment that was cut off `offline`, `relay-refused`,
 *   `relay-misbehaved`. What opens the store throws first: of an unlock lease `offline`, `lease-over`,
 *   `wrong-passphrase`
 */
export async function connect<D extends Declarations>(options: ClientOptions<D>): Promise<Client<D>> {
  const stored = await loadIdentity(options.store.keys);
  if (stored === null) {
    if (await options.store.wasDestroyed()) throw wiped();
    throw new ClientError('no-organisation', 'this device belongs to no organisation');
  }
  return await finish(options, stored.identity, stored.pending);
}

/** Does what a crash or a failure left undone, and opens the client. */
export async function finish<D extends Declarations>(
  options: ClientOptions<D> & Vouching,
  identity: Identity,
  pending: Pending | null,
): Promise<Client<D>> {
  if (pending?.kind === 'genesis') {
    const { ports, identify } = options;
    const { relayUrl, org } = identity;
    await vouched({ ports, relayUrl, id: org, ...(identify && { identify }) }, (idToken) =>
      registerOrganisation(ports, relayUrl, pending.wire, idToken),
    );
    const directory = await openDirectory(options, identity);
    if (directory.size === 0) await directory.append([pending.wire]);
  }
  const member = await memberOf(options, identity, pending);
  const settled = { ...identity, member };
  const client = await Client.open(options, settled);
  if (pending === null) return client;
  await client.online();
  await clearPending(options.store.keys, options.ports.primitives, settled, pending);
  return client;
}

async function memberOf<D extends Declarations>(
  options: ClientOptions<D> & Vouching,
  identity: Identity,
  pending: Pending | null,
): Promise<MemberId> {
  if (pending?.kind === 'join') return await enter(options, identity, pending);
  if (pending?.kind !== 'recovery') return identity.member;
  const member = await memberByLog(options, identity);
  if (member !== null) return member;
  throw new ClientError('relay-refused', 'the recovery is not finished: do it again', {
    relayCode: 'login-refused',
  });
}

/** Opens what the store holds, and waits until it is online. */
export async function opened<D extends Declarations>(
  options: ClientOptions<D>,
  identity: Identity,
): Promise<Client<D>> {
  const client = await Client.open(options, identity);
  await client.online();
  return client;
}

/** Whether this device's organisation is the one that these very options make. */
async function wasFoundedBy<D extends Declarations>(
  options: CreateOrganisationOptions<D>,
  identity: Identity,
): Promise<boolean> {
  const { relayUrl, handle, policy = DEFAULT_POLICY } = options;
  const directory = await openDirectory(options, identity);
  if (directory.size === 0 || new URL(relayUrl).origin !== identity.relayUrl) return false;
  const genesis = directory.stateAt(1);
  return (
    genesis.members.get(identity.member)?.handle === handle &&
    equalBytes(encodeCbor({ ...genesis.policy }), encodeCbor({ ...pinned(policy, genesis.policy.relayKey) }))
  );
}

async function foundOrganisation<D extends Declarations>(
  options: CreateOrganisationOptions<D>,
): Promise<void> {
  const { ports, store, handle } = options;
  const { primitives, random, clock } = ports;
  const relayUrl = new URL(options.relayUrl).origin;
  requireRetention(options.definition, options.policy ?? DEFAULT_POLICY);
  const policy = await pinRelay(ports, relayUrl, options.policy ?? DEFAULT_POLICY);
  const seeds = createSeeds(random);
  const nowMs = clock.now();
  const device = ownDevice(options, seeds, nowMs, policy);
  const wire = createGenesis({ primitives, random, device, handle, policy, nowMs });
  const { org, members, root } = replay(primitives, [wire]);
  const [member] = members.keys();
  const identity = { org, relayUrl, member: member as MemberId, ...seeds };
  await saveIdentity(store.keys, identity, { kind: 'genesis', wire }, { size: 1, root });
}

/**
 * Puts this device into the log, and answers whose it is there. After a crash it may be there already, and the
 * invite used up by itself.
 */
async function enter<D extends Declarations>(
  options: ClientOptions<D> & Vouching,
  identity: Identity,
  pending: Extract<Pending, { kind: 'join' }>,
): Promise<MemberId> {
  try {
    const { ports, identify } = options;
    const { relayUrl } = identity;
    const signer = parseInviteLink(pending.link).seed.use((seed) => ports.primitives.signer(seed));
    const id = inviteIdOf(ports.primitives, signer.publicKey);
    return await vouched({ ports, relayUrl, id, ...(identify && { identify }) }, (idToken) =>
      enterByInvite(options, identity, pending, idToken),
    );
  } catch (error) {
    if (!isRefusedLogin(error)) throw error;
    const member = await memberByLog(options, identity);
    if (member !== null) return member;
    throw new ClientError('relay-refused', 'the invite was used, has expired or was taken back', {
      cause: error,
      relayCode: 'login-refused',
    });
  }
}

/** Whose active device this is, by the log; `null` when it is nobody's. */
export async function memberByLog<D extends Declarations>(
  options: ClientOptions<D>,
  identity: Identity,
): Promise<MemberId | null> {
  const { ports } = options;
  const signer = identity.signingSeed.use((seed) => ports.primitives.signer(seed));
  const id = deviceIdOf(ports.primitives, signer.publicKey);
  const api = new RelayApi(ports, identity.relayUrl, identity.org, {
    subject: { kind: 'device', id },
    signer,
  });
  try {
    const directory = await openDirectory(options, identity);
    await directory.pull(api);
    return isActive(directory.state, id) ? (directory.state.devices.get(id)?.member ?? null) : null;
  } catch (error) {
    if (isRefusedLogin(error)) return null;
    throw error;
  }
}

/** Whether the relay gives this login no session. */
export function isRefusedLogin(error: unknown): boolean {
  return error instanceof ClientError && error.relayCode === 'login-refused';
}

async function enterByInvite<D extends Declarations>(
  options: ClientOptions<D>,
  identity: Identity,
  pending: Extract<Pending, { kind: 'join' }>,
  idToken: string | undefined,
): Promise<MemberId> {
  const { ports } = options;
  const { primitives, clock } = ports;
  const { seed } = parseInviteLink(pending.link);
  const directory = await openDirectory(options, identity);
  const signer = seed.use((bytes) => primitives.signer(bytes));
  const invite = inviteIdOf(primitives, signer.publicKey);
  const subject = { kind: 'invite', id: invite } as const;
  const login = { subject, signer, ...(idToken === undefined ? {} : { idToken }) };
  const api = new RelayApi(ports, identity.relayUrl, identity.org, login);
  const own = identity.signingSeed.use((bytes) => primitives.signer(bytes));
  const id = deviceIdOf(primitives, own.publicKey);
  for (let attempt = 0; attempt < JOIN_ATTEMPTS; attempt += 1) {
    await directory.pull(api);
    const { state } = directory;
    const known = state.devices.get(id);
    if (known !== undefined) return known.member;
    const device = ownDevice(options, identity, Math.max(clock.now(), state.timeMs), state.policy);
    const accepted = { primitives, state, seed, device, nowMs: clock.now() };
    const lets = state.invites.get(invite)?.lets;
    const wire =
      lets?.in === 'device'
        ? acceptDeviceInvite(accepted)
        : acceptInvite({ ...accepted, ...newcomer(options, identity, pending) });
    try {
      await api.appendLog(wire);
      await directory.append([wire]);
      return lets?.in === 'device' ? lets.member : identity.member;
    } catch (error) {
      if (!(error instanceof ClientError && error.relayCode === 'head-moved')) throw error;
    }
  }
  throw new ClientError('relay-misbehaved', 'the membership log moved on at every attempt to join');
}

function newcomer<D extends Declarations>(
  { ports }: ClientOptions<D>,
  { member }: Identity,
  { handle }: Extract<Pending, { kind: 'join' }>,
): Pick<AcceptInviteInput, 'random' | 'handle' | 'member'> {
  if (handle === null)
    throw new ClientError('handle-needed', 'this invite is for a new member, who needs a name');
  return { random: ports.random, handle, member };
}

/** This store's copy of the membership log. */
export async function openDirectory<D extends Declarations>(
  { ports, store }: ClientOptions<D>,
  { org }: Identity,
): Promise<DirectoryReplica> {
  const journal = await store.journal('membership');
  return await DirectoryReplica.open({ primitives: ports.primitives, journal, keyStore: store.keys, org });
}

/** The first sealing key is in force for a block, like the others; they are published without the log. */
export function ownDevice(
  { ports: { primitives }, sessions }: Pick<ClientOptions<Declarations>, 'ports' | 'sessions'>,
  { signingSeed, sealingSeed }: Pick<Identity, 'signingSeed' | 'sealingSeed'>,
  nowMs: number,
  policy: Policy,
): OwnDevice {
  if (sealingSeed === null) throw new ClientError('store-damaged', 'the first sealing key is gone too early');
  return {
    signer: signingSeed.use((seed) => primitives.signer(seed)),
    abilities: sessions === undefined ? 0 : ABILITY_LIBSIGNAL,
    sealingPublicKey: sealingSeed.use((seed) => primitives.decapsulator(seed)).publicKey,
    notBeforeMs: nowMs,
    notAfterMs: nowMs + sealingTimesOf(policy).blockMs,
  };
}

/** The store is somebody else's. */
export function alreadyJoined(): ClientError {
  return new ClientError('already-joined', 'this device already belongs to an organisation');
}
