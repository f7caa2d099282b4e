import { parseEnvelopeHeader, type DeviceId, type MemberId, type SenderHead } from '@keytide/crypto-core';
import type { Policy, Role } from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochKeyStore } from './epoch-key-store.ts';
import type { EpochRing } from './epoch-ring.ts';
import type { GroupReplica } from './group-replica.ts';
import type { Outbox } from './outbox.ts';
import type { OwnHead } from './own-head.ts';
import type { Ports } from './ports.ts';
import { Serial } from './serial.ts';
import { isAdmin, type TrustedTime } from './trusted-time.ts';
import type { Unsealed } from './unsealed.ts';

/**
 * The start of the retention window: what was written in a block that had ended by then is over for this role.
 * Admins keep what they may export, everybody else X (docs/spec/retention.md).
 */
export function windowStartMs(policy: Policy, role: Role, nowMs: number): number {
  return nowMs - windowMs(policy, role);
}

function windowMs({ exportSeconds, retentionSeconds }: Policy, role: Role): number {
  return (role === 'admin' ? exportSeconds : retentionSeconds) * 1000;
}

/**
 * The time that decides what is over for good. An admin's device may have the only copy of what is yet to be exported:
 * what only its own clock says deletes nothing there (ADR 20).
 */
export function decidingMs(time: Pick<TrustedTime, 'now' | 'attestedMs'>, role: Role): number {
  return role === 'admin' ? time.attestedMs : time.now();
}

interface RetentionOptions {
  readonly ports: Pick<Ports, 'clock' | 'primitives'>;
  readonly device: DeviceId;
  readonly member: MemberId;
  readonly time: TrustedTime;
  readonly directory: DirectoryReplica;
  readonly epochs: EpochRing;
  readonly epochKeys: EpochKeyStore;
  readonly ownHead: OwnHead;
  readonly replica: Pick<GroupReplica, 'headOf'>;
  readonly outbox: Pick<Outbox, 'last' | 'forget'>;
  readonly unsealed: Pick<Unsealed, 'forget'>;
  /** What was written in this epoch or before is not shown any more. */
  forget(throughEpoch: number): void;
  /** What is over for its collection alone is not shown any more. */
  forgetShort(): void;
  /** How long until something more is. */
  shortDueMs(): number;
  /** What was written here goes without having reached the relay: so many messages. */
  onUnsent(count: number): void;
  /** Epochs are within the window again: the clock was put right, or the window is longer. */
  onBack(): void;
  /** The store has failed: something that is over is still here. */
  onFailure(error: unknown): void;
}

/** A timer counts no sleep of the device, and knows nothing of a clock that is put right: it is looked at this often. */
const MOST_MS = 3_600_000;
/** After the store has failed. */
const AGAIN_MS = 60_000;

/**
 * Deletes what is over, for good: epoch keys, and with them whatever is in memory of what they open. All that is
 * stored goes in one write, so a process that is killed has done it or does it when it starts, before anything is
 * shown.
 */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #ticks = new Serial();
  #sleep = new AbortController();

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** The time by which a block has ended whose keys have no place here any more. */
  get startMs(): number {
    const { directory, member } = this.#options;
    if (directory.size === 0) return -Infinity;
    return windowStartMs(directory.state.policy, this.#role(member), this.nowMs);
  }

  /** The time that decides here what is over for good. */
  get nowMs(): number {
    const { member, time } = this.#options;
    return decidingMs(time, this.#role(member));
  }

  /** Ticks whenever something is over, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { ports, onFailure } = this.#options;
    const wake = (): void => this.wake();
    signal.addEventListener('abort', wake);
    while (!signal.aborted) {
      this.#sleep = new AbortController();
      const ms = await this.tick().then(
        () => this.#dueMs(),
        (error: unknown) => {
          onFailure(error);
          return AGAIN_MS;
        },
      );
      if (!signal.aborted) await ports.clock.wait(Math.min(MOST_MS, ms), this.#sleep.signal);
    }
    signal.removeEventListener('abort', wake);
  }

  /** The window may have moved: looks at once. */
  wake(): void {
    this.#sleep.abort();
  }

  /** Takes in what the membership log has grown by. */
  sawLog(): void {
    const { ports, time, directory } = this.#options;
    time.sawLog(ports.primitives, directory);
    this.wake();
  }

  /** Takes in when an epoch was made. Its author's clock said so only where it says more than the epoch before. */
  sawEpoch(epoch: number): void {
    const { time, directory, epochs } = this.#options;
    const statement = epochs.statementOf(epoch);
    const before = epochs.statementOf(epoch - 1);
    if (statement === null || statement.createdMs <= (before?.createdMs ?? 0)) return;
    const { state } = directory;
    const member = state.devices.get(statement.author)?.member;
    if (member === undefined) return;
    time.saw({ member, isAdmin: isAdmin(state, member), ms: statement.createdMs });
    this.wake();
  }

  /** The relay has said what time it is: does at once what that makes due. Rejects with what the store fails with. */
  async heal(relayMs: number): Promise<void> {
    await this.#options.time.heal(relayMs);
    await this.tick();
    this.wake();
  }

  /** Deletes what is over. Rejects with what the store fails with. */
  tick(): Promise<void> {
    return this.#ticks.run(() => this.#tick());
  }

  async #tick(): Promise<void> {
    const { time, directory, epochs, epochKeys, ownHead, forget, forgetShort, onUnsent, onBack } =
      this.#options;
    if (directory.size === 0) return;
    const { startMs } = this;
    const { outbox, unsealed, replica, device } = this.#options;
    const head: SenderHead = ownHead.latest([outbox.last, replica.headOf(device)]);
    if (await epochKeys.deleteEndedBy(startMs, ownHead.change(head))) ownHead.keep(head);
    const { expiredThrough, isNew, isBack } = epochs.settle();
    if (isNew) forget(expiredThrough);
    forgetShort();
    const endOf = (epoch: number): number => epochs.statementOf(epoch)?.blockEndMs ?? Infinity;
    const unsent =
      outbox.forget(({ envelope }) => this.#isLost(endOf(parseEnvelopeHeader(envelope).epoch))) +
      (await unsealed.forget(({ endMs }) => this.#isLost(endMs)));
    if (unsent > 0) onUnsent(unsent);
    if (isBack) onBack();
    await time.keep();
  }

  /** What was written here has no other copy: it goes when it is over by more than this device's own clock. */
  #isLost(endMs: number): boolean {
    const { directory, member, time } = this.#options;
    const startMs = windowStartMs(directory.state.policy, this.#role(member), time.attestedMs);
    return endMs <= startMs;
  }

  #dueMs(): number {
    const { directory, member, epochs, epochKeys, shortDueMs, ports } = this.#options;
    // Also where there is no key: what is over is not to be asked for any more.
    const firstEndMs = Math.min(epochKeys.firstEndMs ?? Infinity, epochs.firstEndMs ?? Infinity);
    if (directory.size === 0 || firstEndMs === Infinity) return MOST_MS;
    const role = this.#role(member);
    // Whoever attests a time to an admin's device wakes it.
    if (role === 'admin') return MOST_MS;
    const keysMs = firstEndMs + windowMs(directory.state.policy, role) - ports.clock.now();
    return Math.min(keysMs, shortDueMs());
  }

  #role(member: MemberId): Role {
    return this.#options.directory.state.members.get(member)?.role ?? 'member';
  }
}
