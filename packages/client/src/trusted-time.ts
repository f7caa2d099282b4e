import {
  decodeCbor,
  encodeCbor,
  sorted,
  type DeviceId,
  type KeyStore,
  type MemberId,
  type Primitives,
} from '@keytide/crypto-core';
import { parseEntry, type DirectoryState } from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import type { Clock } from './ports.ts';

interface TrustedTimeOptions {
  readonly keyStore: KeyStore;
  readonly clock: Pick<Clock, 'now'>;
}

/** What the time was when a device signed something, in milliseconds since 1970, and whose device it was. */
interface SignedTime {
  readonly member: MemberId;
  readonly isAdmin: boolean;
  readonly ms: number;
}

const NAME = 'clock';
const AGREED = 'clock-agreed';
/** How far the relay's time may be from this device's and still say the same. */
const AGREE_MS = 600_000;
/** How much time may pass unwritten: a process that is killed forgets no more. */
const WRITE_EVERY_MS = 3_600_000;

/**
 * What time it is at the least, for whatever must be gone by then: the latest that this device's clock has ever
 * said, and that an admin or two members have signed. Setting the clock back does not set it back (ADR 20).
 */
export class TrustedTime {
  readonly #options: TrustedTimeOptions;
  /** The latest that the device's clock has said. */
  #highMs: number;
  #writtenMs: number;
  /** What the device's clock said when the relay last said the same. */
  #agreedMs: number;
  /** By how much the relay's time was later than the device's clock when it was heard last; `null` before. */
  #relayAheadMs: number | null = null;
  #adminMs = 0;
  /** The newest times of two different members, the later first. */
  #members: readonly SignedTime[] = [];
  /** How much of the membership log was looked at. */
  #seen = 0;

  private constructor(options: TrustedTimeOptions, highMs: number, agreedMs: number) {
    this.#options = options;
    this.#highMs = highMs;
    this.#writtenMs = highMs;
    this.#agreedMs = agreedMs;
  }

  /** Reads what the clock said before. @throws ClientError `store-damaged` */
  static async open(options: TrustedTimeOptions): Promise<TrustedTime> {
    const [highMs, agreedMs] = [await storedMs(options, NAME), await storedMs(options, AGREED)];
    return new TrustedTime(options, highMs, agreedMs);
  }

  /** Milliseconds since 1970. Never less than before, but for `heal`. */
  now(): number {
    this.#highMs = Math.max(this.#highMs, this.#options.clock.now());
    return Math.max(this.#highMs, this.signedMs);
  }

  /**
   * What time it is at the least by more than this device's own clock: it is signed, or the relay has said the same as
   * the clock. For whatever may be the only copy: a clock that leaps ahead must not delete that alone.
   */
  get attestedMs(): number {
    return Math.max(this.#agreedMs, this.signedMs);
  }

  /** The latest that an admin's device has signed, or that those of two members have: the earlier of theirs. */
  get signedMs(): number {
    return Math.max(this.#adminMs, this.#members[1]?.ms ?? 0);
  }

  /**
   * How far the device's clock is behind, in whole seconds, ahead where it is negative; 0 while it may be right: within
   * 10 minutes. By what the relay said when it was heard last, or by what is signed where it was not heard since the start.
   */
  get clockBehindSeconds(): number {
    const ms = this.#relayAheadMs ?? Math.max(0, this.signedMs - this.#options.clock.now());
    return Math.abs(ms) > AGREE_MS ? Math.round(ms / 1000) : 0;
  }

  /** Takes in when something was signed. A member who is no admin moves nothing alone. */
  saw(time: SignedTime): void {
    if (time.isAdmin) this.#adminMs = Math.max(this.#adminMs, time.ms);
    const others = this.#members.filter(({ member }) => member !== time.member);
    const own = this.#members.find(({ member }) => member === time.member);
    const newest = own === undefined || own.ms < time.ms ? time : own;
    this.#members = sorted([...others, newest], (a, b) => b.ms - a.ms).slice(0, 2);
  }

  /**
   * Takes in what the membership log has grown by, the newest first, as far as older entries can tell more. An entry
   * that is not dated later than the one before it says nothing of its author's clock: the rules made it say so.
   */
  sawLog(primitives: Primitives, directory: Pick<DirectoryReplica, 'state' | 'size' | 'wires'>): void {
    const { state, size } = directory;
    const seen = new Set<MemberId>();
    let isAdminSeen = false;
    for (let index = size - 1; index >= this.#seen && !isAdminSeen && seen.size < 2; index -= 1) {
      const [before, entry] = [index - 1, index].map((at) => {
        const [wire] = at < 0 ? [] : directory.wires(at, at + 1);
        return wire === undefined ? null : parseEntry(primitives, wire);
      });
      const member = state.devices.get(entry?.author as DeviceId)?.member;
      if (!entry || member === undefined || (before && entry.timeMs <= before.timeMs)) continue;
      isAdminSeen = isAdmin(state, member);
      seen.add(member);
      this.saw({ member, isAdmin: isAdminSeen, ms: entry.timeMs });
    }
    this.#seen = size;
  }

  /**
   * The relay has said what time it is. Where it says the same as the device's clock, what that once said is taken
   * back, if it was far ahead and is right now: never to before what is signed. Durable when it resolves.
   */
  async heal(relayMs: number): Promise<void> {
    const nowMs = this.#options.clock.now();
    this.#relayAheadMs = relayMs - nowMs;
    if (Math.abs(this.#relayAheadMs) > AGREE_MS) return;
    const isAhead = this.#highMs > nowMs;
    [this.#highMs, this.#agreedMs] = [nowMs, nowMs];
    if (isAhead) await this.#write();
    else await this.keep();
  }

  /** Makes what the clock says durable, where it is worth a write. */
  async keep(): Promise<void> {
    this.now();
    if (this.#highMs >= this.#writtenMs + WRITE_EVERY_MS) await this.#write();
  }

  async #write(): Promise<void> {
    const highMs = this.#highMs;
    await this.#options.keyStore.write([
      { name: NAME, value: encodeCbor(highMs) },
      { name: AGREED, value: encodeCbor(this.#agreedMs) },
    ]);
    this.#writtenMs = highMs;
  }
}

async function storedMs({ keyStore }: TrustedTimeOptions, name: string): Promise<number> {
  const stored = await keyStore.get(name);
  const ms = stored === null ? 0 : decodeCbor(stored, 16);
  if (typeof ms !== 'number') throw new ClientError('store-damaged', 'the stored time is not one');
  return ms;
}

/** Whether the member is an admin now, by this device's log. */
export function isAdmin(state: DirectoryState, member: MemberId): boolean {
  const found = state.members.get(member);
  return found?.role === 'admin' && found.removedAt === null;
}
