import {
  decodeCbor,
  encodeCbor,
  type DeviceId,
  type KeyStore,
  type MemberId,
  memberId,
} from '@keytide/crypto-core';
import type { Device, DirectoryState } from '@keytide/key-directory';
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
  /** How much of the log was looked at. */
  #seen: number;

  private constructor(options: IdentityWatchOptions, acknowledged: Map<MemberId, number>) {
    this.#options = options;
    this.#acknowledged = acknowledged;
    this.#seen = options.directory.size;
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
    const from = Math.max(this.#acknowledged.get(member) ?? 0, this.#joinedAt(state) + 1);
    const { added, revoked } = this.#changes(state, from, member);
    return added.length > 0 || revoked.length > 0;
  }

  /** Takes note of a member as the log had them at `size`. Durable when it resolves. */
  async acknowledge(member: MemberId, size: number): Promise<void> {
    if (size <= (this.#acknowledged.get(member) ?? 0)) return;
    await this.#options.keyStore.write([{ name: `${ACKNOWLEDGED}${member}`, value: encodeCbor(size) }]);
    this.#acknowledged.set(member, size);
  }

  /** Tells what the log has brought since the last look. */
  look(listener: IdentityListener): void {
    const { directory, device } = this.#options;
    const { state } = directory;
    const from = Math.max(this.#seen, this.#joinedAt(state) + 1);
    this.#seen = state.size;
    const own = state.devices.get(device)?.member;
    for (const { id: member, handle, removedAt } of state.members.values()) {
      if (removedAt !== null) continue;
      const { added, revoked } = this.#changes(state, from, member);
      if (added.length + revoked.length === 0) continue;
      if (member !== own) {
        listener.onIdentity({ member, handle, added: added.map(idOf), revoked: revoked.map(idOf) });
      }
      for (const newDevice of member === own ? added : []) {
        listener.onOwnDevice({ device: newDevice.id, invitedBy: invitedBy(state, newDevice) as DeviceId });
      }
    }
  }

  /** What entries from index `from` on have changed. The device that a member came with is no change. */
  #changes(state: DirectoryState, from: number, member: MemberId): { added: Device[]; revoked: Device[] } {
    const { device: self } = this.#options;
    const isOwn = state.devices.get(self)?.member === member;
    const firstAt = state.members.get(member)?.addedAt;
    const devices = [...state.devices.values()].filter((device) => device.member === member);
    return {
      added: devices.filter(
        (device) =>
          device.addedAt >= from &&
          device.addedAt !== firstAt &&
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

/** The device that issued the invite by which this one came; `null` for a founder's or a recovered one. */
function invitedBy(state: DirectoryState, { addedAt }: Device): DeviceId | null {
  for (const invite of state.invites.values()) if (invite.usedAt === addedAt) return invite.issuedBy;
  return null;
}

function idOf({ id }: Device): DeviceId {
  return id;
}
