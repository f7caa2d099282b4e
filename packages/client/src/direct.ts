import { forgetSeenMessages, sorted, toHex, type DeviceId, type MemberId } from '@keytide/crypto-core';
import { isActive, type Device } from '@keytide/key-directory';
import type { Body } from './body.ts';
import { DirectChannels } from './direct-channels.ts';
import {
  DirectMail,
  type DirectMailParts,
  type RefusedDirect,
  type UnreadableDirect,
} from './direct-mail.ts';
import { encodeDirectPayload, parseDirectPayload } from './direct-payload.ts';
import { isFull } from './direct-room.ts';
import type { KeptDirect, Letter } from './direct-shelf.ts';
import { ClientError } from './errors.ts';
import type { Part } from './part.ts';
import type { Ports } from './ports.ts';
import { decidingMs, windowStartMs } from './retention.ts';
import { Serial } from './serial.ts';
import { SessionUpkeep } from './session-upkeep.ts';
import type { TrustedTime } from './trusted-time.ts';
import { Wakeups } from './wakeups.ts';

/** A message from one person to one other. */
export interface DirectMessage {
  /** 32 hex characters, the same on all devices that have it. */
  readonly id: string;
  /** Whose conversation with this device's member it is in. */
  readonly member: MemberId;
  /** The device that signed it, and the member it belongs to. */
  readonly device: DeviceId;
  readonly from: MemberId;
  /** The name that member chose. Not verified by anyone but themselves. */
  readonly handle: string;
  /** When the sender says it was sent, or when it came if that was earlier: milliseconds since 1970. */
  readonly timeMs: number;
  /** As the sender wrote it: whether it is what the application expects, the application must check. */
  readonly body: Body;
}

/** What became of a message: durable here, and sealed to all devices but these. */
export interface SentDirect {
  readonly id: string;
  /** They were away for too long. */
  readonly silent: readonly DeviceId[];
  /** So much waits for them that no more does. */
  readonly full: readonly DeviceId[];
}

interface DirectParts extends DirectMailParts {
  readonly ports: Ports;
  readonly time: Pick<TrustedTime, 'now' | 'attestedMs'>;
  readonly isOnline: () => boolean;
  /** @throws ClientError `closed`, `wiped`, `locked` */
  assertOpen(): void;
  pullSealingRecords(): Promise<void>;
}

/** And twice as long each time, up to eight minutes. */
const RETRY_MS = 15_000;
const RETRIES_DOUBLED = 5;
const LOOK_MS = 3_600_000;

/** Messages between two people, over the pairwise channels of their devices and the relay's mailboxes. */
export class Direct implements Part {
  readonly topic = 'mail';
  readonly #parts: DirectParts;
  readonly #channels: DirectChannels;
  readonly #upkeep: SessionUpkeep;
  readonly #mail: DirectMail;
  readonly #writing = new Serial();
  readonly #stopping = new AbortController();
  readonly #changes = new Wakeups();
  #retries = 0;
  #isAwake = false;
  #isTryingAgain = false;
  #running: Promise<void> | null = null;

  constructor(parts: DirectParts) {
    this.#parts = parts;
    this.#channels = new DirectChannels(parts);
    this.#upkeep = new SessionUpkeep(parts, this.#channels);
    const tools = { channels: this.#channels, upkeep: this.#upkeep, stopping: this.#stopping.signal };
    this.#mail = new DirectMail(parts, { ...tools, onNews: () => this.#changes.wake() });
    void this.#look();
  }

  /** Messages that are safe on this device and that the relay has not confirmed to keep, one for each device they go to. */
  get waiting(): number {
    return this.#parts.shelf.letters.length;
  }

  /** The newest messages that show nothing, at most 100. */
  get unreadable(): readonly UnreadableDirect[] {
    return this.#mail.unreadable;
  }

  /** The devices whose mail the relay has refused, or that no session can be started with, while it waits. */
  get refused(): readonly RefusedDirect[] {
    return this.#mail.refused;
  }

  /**
   * Members of whom this device keeps as much as it keeps of one: what they have written since waits with the relay
   * until older messages are over, or its own time is.
   */
  get held(): readonly MemberId[] {
    return this.#mail.held;
  }

  /**
   * Writes to a member: to each of their active devices, and to one's own others. Resolves once it is durable here.
   * @throws ClientError `unknown-member`, `unreachable` when all their devices were away for too long to seal to,
   *   `mailbox-full` when so much waits for all of them that no more does, `too-large` over 8 KiB, `closed`
   */
  send(member: MemberId, body: Body): Promise<SentDirect> {
    return this.#writing.run(async () => {
      this.#parts.assertOpen();
      const { directory, ports, shelf, time, isOnline } = this.#parts;
      const person = directory.state.members.get(member);
      if (person === undefined || person.removedAt !== null)
        throw new ClientError('unknown-member', 'no current member of the organisation');
      const id = ports.random(16);
      const sentMs = Math.max(time.now(), this.#lastSentMs + 1);
      const plaintext = encodeDirectPayload({ id, to: member, sentMs, body });
      // The newest keys if they can be had; those that are known will do.
      if (isOnline()) await this.#parts.pullSealingRecords().catch(() => {});
      const { letters, silent, full } = await this.#seal(this.#devicesFor(member), plaintext, sentMs);
      const reached = letters.some(({ recipient }) => person.activeDevices.includes(recipient));
      if (member !== this.#parts.member && !reached) {
        if (full.some((device) => person.activeDevices.includes(device)))
          throw new ClientError('mailbox-full', 'as much waits for this member as may');
        throw new ClientError('unreachable', 'no device of this member has a key to seal to');
      }
      const payload = { id, to: member, sentMs, body };
      await shelf.send({ sender: this.#parts.self.device, timeMs: sentMs, payload }, plaintext, letters);
      this.#changes.wake();
      if (isOnline()) this.wake();
      return { id: toHex(id), silent, full };
    });
  }

  /** The conversation with a member, in the order of its times. */
  read(member: MemberId): readonly DirectMessage[] {
    const views = this.#kept().flatMap((kept) => this.#viewOf(kept, member) ?? []);
    return sorted(views, (a, b) => a.timeMs - b.timeMs);
  }

  /** Yields the conversation so far, in the order in which it came here, then what comes, until `signal` is aborted or the client closes. */
  async *follow(member: MemberId, signal?: AbortSignal): AsyncGenerator<DirectMessage, void, undefined> {
    let last = '';
    while (signal?.aborted !== true && !this.#stopping.signal.aborted) {
      const next = this.#kept().find((kept) => kept.name > last && this.#viewOf(kept, member) !== null);
      if (next === undefined) {
        await this.#changes.next(signal);
        continue;
      }
      last = next.name;
      yield this.#viewOf(next, member) as DirectMessage;
    }
  }

  wake(): void {
    this.#isAwake = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      if (this.#isAwake && !this.#stopping.signal.aborted) this.wake();
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#changes.wake();
    await this.#running;
    await this.#writing.run(async () => {});
    this.#parts.shelf.empty();
  }

  get #lastSentMs(): number {
    const { shelf, self } = this.#parts;
    return shelf.kept.reduce(
      (most, { sender, timeMs }) => (sender === self.device ? Math.max(most, timeMs) : most),
      0,
    );
  }

  /** What the retention window holds: what is over shows nothing, deleted or not; nor does anything after the end. */
  #kept(): readonly KeptDirect[] {
    if (this.#stopping.signal.aborted) return [];
    const startMs = this.#windowStartMs();
    return this.#parts.shelf.kept.filter(({ timeMs }) => timeMs >= startMs);
  }

  #windowStartMs(nowMs?: number): number {
    const { directory, member, time } = this.#parts;
    if (directory.size === 0) return 0;
    const { policy, members } = directory.state;
    const role = members.get(member)?.role ?? 'member';
    return windowStartMs(policy, role, nowMs ?? decidingMs(time, role));
  }

  #devicesFor(member: MemberId): Device[] {
    const { directory, self } = this.#parts;
    const { members, devices } = directory.state;
    const ids = new Set([member, this.#parts.member].flatMap((id) => members.get(id)?.activeDevices ?? []));
    ids.delete(self.device);
    return [...ids].map((id) => devices.get(id) as Device);
  }

  /** In boxes at once; what goes in a session is sealed when it is handed in, for that may need the relay. */
  async #seal(
    devices: readonly Device[],
    plaintext: Uint8Array,
    nowMs: number,
  ): Promise<Omit<SentDirect, 'id'> & { readonly letters: readonly Omit<Letter, 'name'>[] }> {
    const { ports, shelf } = this.#parts;
    const letters: Omit<Letter, 'name'>[] = [];
    const silent: DeviceId[] = [];
    const full: DeviceId[] = [];
    for (const device of devices) {
      if (isFull(shelf.letters, device.id)) {
        full.push(device.id);
        continue;
      }
      const isSealed = !this.#channels.holdsSession(device);
      if (isSealed && !this.#channels.canSealTo(device)) {
        silent.push(device.id);
        continue;
      }
      const bytes = isSealed ? await this.#channels.sealBox(device, plaintext) : plaintext;
      letters.push({ recipient: device.id, id: ports.random(16), isSealed, bytes, madeMs: nowMs });
    }
    return { letters, silent, full };
  }

  async #run(): Promise<void> {
    this.#isAwake = false;
    try {
      await this.#forget();
      if (!this.#parts.isOnline()) return;
      if (await this.#mail.exchange()) {
        this.#retries = 0;
        return;
      }
    } catch {
      // What the relay does passes, and what this device cannot keep is told by whatever else it does.
    }
    void this.#tryAgain();
  }

  /** Out of reach, the next connection wakes this; while there is one, a little later. */
  async #tryAgain(): Promise<void> {
    if (this.#isTryingAgain) return;
    this.#isTryingAgain = true;
    const waitMs = RETRY_MS * 2 ** Math.min(this.#retries, RETRIES_DOUBLED);
    this.#retries += 1;
    await this.#parts.ports.clock.wait(waitMs, this.#stopping.signal);
    this.#isTryingAgain = false;
    if (!this.#stopping.signal.aborted && this.#parts.isOnline()) this.wake();
  }

  /** At the start, and once an hour, also out of reach. */
  async #look(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#upkeep.due();
      this.#mail.readAgain();
      this.wake();
      await this.#parts.ports.clock.wait(LOOK_MS, this.#stopping.signal);
    }
  }

  /** Deletes what is over, and which messages were opened with sealing keys that are gone. */
  async #forget(): Promise<void> {
    const { directory, keyStore, sealing, self, shelf, time } = this.#parts;
    const startMs = this.#windowStartMs();
    if (directory.size === 0) return;
    await shelf.setBack(time.now());
    if (await shelf.forget(startMs, this.#windowStartMs(time.attestedMs))) {
      this.#mail.readAgain();
      this.#changes.wake();
    }
    if (!isActive(directory.state, self.device)) return;
    const seen = (await keyStore.names(SEEN)).map((name) => name.slice(SEEN.length).split('/')[0] as string);
    for (const keyId of new Set(seen))
      if (sealing.withId(keyId) === null) await forgetSeenMessages(this.#channels.endpoint, keyId, []);
    // What may be sent again is what is kept.
    const own = new Set(
      shelf.kept.filter(({ sender }) => sender === self.device).map(({ payload }) => toHex(payload.id)),
    );
    const isKept = (plaintext: Uint8Array): boolean => {
      const payload = parseDirectPayload(plaintext);
      return payload !== null && own.has(toHex(payload.id));
    };
    await this.#upkeep.forget({ isKept, usedSinceMs: startMs });
  }

  #viewOf({ sender, timeMs, payload }: KeptDirect, member: MemberId): DirectMessage | null {
    const { devices, members } = this.#parts.directory.state;
    const from = members.get(devices.get(sender)?.member as MemberId);
    if (from === undefined) return null;
    const conversation = from.id === this.#parts.member ? payload.to : from.id;
    if (conversation !== member) return null;
    const { id, handle } = from;
    return { id: toHex(payload.id), member, device: sender, from: id, handle, timeMs, body: payload.body };
  }
}

/** Where crypto-core keeps which messages were opened (docs/spec/pairwise.md). */
const SEEN = 'pairwise/seen/';
