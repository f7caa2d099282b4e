import {
  decodeCbor,
  encodeCbor,
  type DeviceId,
  type KeyStore,
  type MemberId,
  memberId,
  sorted,
} from '@keytide/crypto-core';
import type { Device, DirectoryState, Member } from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';

/** Another member's devices have changed: whoever knew this person should ask whether it was them. */
export interface IdentityChange {
  readonly member: MemberId;
  readonly handle: string;
  readonly added: readonly DeviceId[];
  readonly revoked: readonly DeviceId[];
}

/** A device of one's own member that this device did not invite. */
export interface OwnDevice {
  readonly device: DeviceId;
  /** The device that invited it. */
  readonly invitedBy: DeviceId;
}

/** Who is told. */
interface IdentityListener {
  onIdentity(change: IdentityChange): void;
  onOwnDevice(own: OwnDevice): void;
}

interface IdentityWatchOptions {
  readonly directory: DirectoryReplica;
  readonly keyStore: KeyStore;
  readonly device: DeviceId;
}

const ACKNOWLEDGED = 'acknowledged/';
const MAX_BYTES = 16;

/**
 * Watches which devices members have. What has changed follows from the verified log; kept is only how long the
 * log was when the person at this device took note of a member.
 */
export class IdentityWatch {
  readonly #options: IdentityWatchOptions;
  readonly #acknowledged: Map<MemberId, number>;
  /** What was looked at since the start; `null` for nothing. */
  #seen: DirectoryState | null = null;
  /** All devices, as of the state that was last asked about. */
  #known: { state: DirectoryState; devices: Map<MemberId, Device[]> } | null = null;

  private constructor(options: IdentityWatchOptions, acknowledged: Map<MemberId, number>) {
    this.#options = options;
    this.#acknowledged = acknowledged;
  }

  static async open(options: IdentityWatchOptions): Promise<IdentityWatch> {
    const acknowledged = new Map<MemberId, number>();
    for (const name of await options.keyStore.names(ACKNOWLEDGED)) {
      const value = await options.keyStore.get(name);
      if (value === null) continue;
      acknowledged.set(memberId(name.slice(ACKNOWLEDGED.length)), decodeCbor(value, MAX_BYTES) as number);
    }
    return new IdentityWatch(options, acknowledged);
  }

  /** Whether the member's devices have changed since this device took note of them. */
  isChanged(member: MemberId): boolean {
    const { state } = this.#options.directory;
    const from = Math.max(this.notedUpTo(member), this.#joinedAt(state) + 1);
    if (this.#known?.state !== state) this.#known = { state, devices: byMember(state.devices.values()) };
    const owner = state.members.get(member);
    if (owner === undefined) return false;
    const { added, revoked } = this.#changes(state, from, owner, this.#known.devices.get(member) ?? []);
    return added.length > 0 || revoked.length > 0;
  }

  /** Takes note of a member as the log had them at `size`. Durable when it resolves. */
  async acknowledge(member: MemberId, size: number): Promise<void> {
    if (size <= this.notedUpTo(member)) return;
    await this.#options.keyStore.write([{ name: `${ACKNOWLEDGED}${member}`, value: encodeCbor(size) }]);
    this.#acknowledged.set(member, size);
  }

  /** How long the log was when the person took note of a member; 0 for never. */
  notedUpTo(member: MemberId): number {
    return this.#acknowledged.get(member) ?? 0;
  }

  /**
   * Tells what the log has brought since the last look; at the first, everything that the person has not taken note
   * of, so that nothing is lost when the app ends before it was shown.
   */
  look(listener: IdentityListener): void {
    const { directory, device } = this.#options;
    const { state } = directory;
    const seen = Math.max(this.#seen?.size ?? 0, this.#joinedAt(state) + 1);
    const changed = state.devices.changedSince(this.#seen?.devices ?? null);
    this.#seen = state;
    const own = state.devices.get(device)?.member;
    for (const [member, devices] of byMember(changed)) {
      const owner = state.members.get(member) as Member;
      if (owner.removedAt !== null) continue;
      const from = Math.max(seen, this.notedUpTo(member));
      const { added, revoked } = this.#changes(state, from, owner, devices);
      if (added.length + revoked.length === 0) continue;
      if (member !== own) {
        listener.onIdentity({
          member,
          handle: owner.handle,
          added: added.map(idOf),
          revoked: revoked.map(idOf),
        });
      }
      for (const newDevice of member === own ? added : []) {
        listener.onOwnDevice({ device: newDevice.id, invitedBy: invitedBy(state, newDevice) as DeviceId });
      }
    }
  }

  /** What entries from index `from` on have changed. The device that a member came with is no change. */
  #changes(
    state: DirectoryState,
    from: number,
    { id, addedAt }: Member,
    devices: readonly Device[],
  ): { added: Device[]; revoked: Device[] } {
    const { device: self } = this.#options;
    const isOwn = state.devices.get(self)?.member === id;
    return {
      added: devices.filter(
        (device) =>
          device.addedAt >= from &&
          device.addedAt !== addedAt &&
          !(isOwn && invitedBy(state, device) === self),
      ),
      revoked: isOwn ? [] : devices.filter(({ revokedAt }) => revokedAt !== null && revokedAt >= from),
    };
  }

  /** What was there when this device came is what its person joined. */
  #joinedAt(state: DirectoryState): number {
    return state.devices.get(this.#options.device)?.addedAt ?? state.size;
  }
}

/** In the order in which they came. */
function byMember(devices: readonly Device[]): Map<MemberId, Device[]> {
  const found = new Map<MemberId, Device[]>();
  for (const device of sorted(devices, (a, b) => a.addedAt - b.addedAt)) {
    const others = found.get(device.member);
    if (others === undefined) found.set(device.member, [device]);
    else others.push(device);
  }
  return found;
}

/** The device that issued the invite by which this one came; `null` for a founder's or a recovered one. */
function invitedBy(state: DirectoryState, { addedAt }: Device): DeviceId | null {
  for (const invite of state.invites.values()) if (invite.usedAt === addedAt) return invite.issuedBy;
  return null;
}

function idOf({ id }: Device): DeviceId {
  return id;
}
