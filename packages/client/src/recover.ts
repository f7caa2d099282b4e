import { deviceIdOf, equalBytes, toHex, type MemberId, type OrgId, type Secret } from '@keytide/crypto-core';
import {
  assertHandle,
  createRecovery,
  newMemberId,
  type Checkpoint,
  type Policy,
} from '@keytide/key-directory';
import type { Client } from './client.ts';
import type { ClientOptions } from './client-options.ts';
import type { Declarations } from './collection.ts';
import { anchorChange } from './directory-replica.ts';
import {
  alreadyJoined,
  finish,
  isRefusedLogin,
  memberByLog,
  openDirectory,
  opened,
  ownDevice,
} from './enrol.ts';
import { ClientError } from './errors.ts';
import { createSeeds, loadIdentity, saveIdentity, wasJoinedBy, type Identity } from './identity.ts';
import { RelayApi } from './relay-api.ts';

/** What brings an organisation back whose admins are lost. */
export interface RecoverOptions<D extends Declarations> extends ClientOptions<D> {
  /** Where the relay is, such as `https://relay.example.org`. */
  readonly relayUrl: string;
  readonly org: OrgId;
  /** The recovery key's seed, 32 bytes, as its holders recombined it. Not kept, and not disposed of. */
  readonly seed: Secret;
  /** The new admin's name, which others see; the relay sees it too. 1 to 64 characters. */
  readonly handle: string;
  /**
   * What holds from now on, made from what held before; asked again when the log has grown meanwhile. Must not name
   * the recovery key that is used here: it is spent.
   */
  readonly policy: (old: Policy) => Policy;
  /** Members who go at the same time, such as the lost admins; left out, none. */
  readonly removed?: readonly MemberId[];
  /** A checkpoint that the log must pass through, as a member noted it; left out, the relay may show an old log. */
  readonly anchor?: Checkpoint;
}

const ATTEMPTS = 8;

/**
 * Makes this device the first of a new admin, with the recovery key that a quorum recombined; resolves once it is
 * online. Nothing from before can be read on it: no key of the past is sealed to it. After a failure, calling it
 * again with the same store and key goes on where it stopped, also when the key is spent by that very call; once it
 * is done, it changes nothing. A key that the policy does not name leaves the store as it was.
 * @throws ClientError `already-joined`, `offline`, `relay-misbehaved`, `relay-forked`, `relay-refused` with
 *   `login-refused` for a key that is not the policy's, or not any more; DirectoryError `id-reused` for a policy that
 *   names the spent key, otherwise with which the rules refuse the policy, the name or the members to remove
 */
export async function recoverOrganisation<D extends Declarations>(
  options: RecoverOptions<D>,
): Promise<Client<D>> {
  const { store, ports, org, handle, anchor = null } = options;
  const { api, key } = asRecovery(options);
  let stored = await loadIdentity(store.keys);
  if (stored === null) {
    assertHandle(handle);
    await api.token();
    const relayUrl = new URL(options.relayUrl).origin;
    const identity = { org, relayUrl, member: newMemberId(ports.random), ...createSeeds(ports.random) };
    await saveIdentity(store.keys, identity, { kind: 'recovery', key }, anchor);
    stored = await loadIdentity(store.keys);
  }
  if (stored === null || stored.identity.org !== org) throw alreadyJoined();
  const { identity, pending } = stored;
  if (pending?.kind === 'recovery' && equalBytes(pending.key, key)) {
    await noteAnchor(options);
    await enter(options, identity, api);
    return await finish(options, identity, pending);
  }
  if (pending !== null || !(await wasJoinedBy(store.keys, ports.primitives, key))) throw alreadyJoined();
  return await opened(options, identity);
}

function asRecovery<D extends Declarations>({
  ports,
  relayUrl,
  org,
  seed,
}: RecoverOptions<D>): { api: RelayApi; key: Uint8Array } {
  const signer = seed.use((bytes) => ports.primitives.signer(bytes));
  const subject = { kind: 'recovery', id: toHex(signer.publicKey) } as const;
  return { api: new RelayApi(ports, relayUrl, org, { subject, signer }), key: signer.publicKey };
}

/** What is demanded now holds, and not what an earlier call demanded: somebody may have noted it wrongly. */
async function noteAnchor<D extends Declarations>(options: RecoverOptions<D>): Promise<void> {
  const { store, anchor = null } = options;
  const journal = await store.journal('membership');
  // A log that is stored already is compared once it is up to date.
  await store.keys.write([anchorChange(journal.length === 0 ? anchor : null)]);
}

/** Puts this device into the log. After a crash it may be there already, and the key spent by itself. */
async function enter<D extends Declarations>(
  options: RecoverOptions<D>,
  identity: Identity,
  api: RelayApi,
): Promise<void> {
  try {
    await enterByKey(options, identity, api);
  } catch (error) {
    if (!isRefusedLogin(error) || (await memberByLog(options, identity)) === null) throw error;
  }
}

async function enterByKey<D extends Declarations>(
  options: RecoverOptions<D>,
  identity: Identity,
  api: RelayApi,
): Promise<void> {
  const { ports, seed, handle, policy, removed = [], anchor } = options;
  const { primitives, random, clock } = ports;
  const directory = await openDirectory(options, identity);
  const own = identity.signingSeed.use((bytes) => primitives.signer(bytes));
  const id = deviceIdOf(primitives, own.publicKey);
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    await directory.pull(api);
    if (anchor !== undefined) directory.requirePasses(anchor);
    const { state } = directory;
    if (state.devices.has(id)) return;
    const nowMs = Math.max(clock.now(), state.timeMs);
    const wire = createRecovery({
      primitives,
      random,
      state,
      seed,
      device: ownDevice(options, identity, nowMs, state.policy),
      handle,
      member: identity.member,
      policy: policy(state.policy),
      removed,
      nowMs,
    });
    try {
      await api.appendLog(wire);
      return;
    } catch (error) {
      if (!(error instanceof ClientError && error.relayCode === 'head-moved')) throw error;
    }
  }
  throw new ClientError('relay-misbehaved', 'the membership log moved on at every attempt to recover');
}
