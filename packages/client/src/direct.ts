import {
  boxChannel,
  CryptoError,
  deviceId,
  forgetSeenMessages,
  pairwiseEndpoint,
  sorted,
  toHex,
  type DeviceId,
  type KeyStore,
  type KeyStoreChange,
  type MemberId,
  type OrgId,
  type PairwiseEndpoint,
} from '@keytide/crypto-core';
import { isActive, type Device } from '@keytide/key-directory';
import type { Body } from './body.ts';
import { confirmMail, postMail, readMail } from './direct-api.ts';
import { encodeDirectPayload, parseDirectPayload } from './direct-payload.ts';
import { hasRoom, isFull } from './direct-room.ts';
import type { DirectShelf, KeptDirect, Letter } from './direct-shelf.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import type { Self } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import type { OwnSealingKeys } from './own-sealing-keys.ts';
import type { Part } from './part.ts';
import type { Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';
import { decidingMs, windowStartMs } from './retention.ts';
import type { SealingRecords } from './sealing-records.ts';
import { Serial } from './serial.ts';
import { notedKeyStore, type NotedKeyStore } from './store-failures.ts';
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

/** A message to this device that shows nothing, and why (docs/spec/direct.md). */
export interface UnreadableDirect {
  /** Who sent it, by the relay's word. */
  readonly device: DeviceId;
  readonly code: string;
}

/** What became of a message: durable here, and sealed to all devices but these. */
export interface SentDirect {
  readonly id: string;
  /** They were away for too long. */
  readonly silent: readonly DeviceId[];
  /** So much waits for them that no more does. */
  readonly full: readonly DeviceId[];
}

/** A device whose mail the relay does not take now: what is for it waits here, and is handed in again. */
export interface RefusedDirect {
  readonly device: DeviceId;
  /** The relay's code: `quota-exceeded` when it keeps as much for that device as it may. */
  readonly code: string;
}

interface DirectParts {
  readonly ports: Ports;
  readonly org: OrgId;
  readonly member: MemberId;
  readonly self: Self;
  readonly keyStore: KeyStore;
  readonly shelf: DirectShelf;
  readonly directory: DirectoryReplica;
  readonly sealing: OwnSealingKeys;
  readonly sealingRecords: SealingRecords;
  readonly api: RelayApi;
  /** What time it is at the least. */
  readonly time: Pick<TrustedTime, 'now' | 'attestedMs'>;
  readonly isOnline: () => boolean;
  pullDirectory(): Promise<void>;
  pullSealingRecords(): Promise<void>;
}

const RETRY_MS = 15_000;
const LOOK_MS = 3_600_000;
const UNREADABLE_KEPT = 100;

/** Messages between two people, over the pairwise channels of their devices and the relay's mailboxes. */
export class Direct implements Part {
  readonly topic = 'mail';
  readonly #parts: DirectParts;
  readonly #noted: NotedKeyStore;
  readonly #writing = new Serial();
  readonly #stopping = new AbortController();
  readonly #changes = new Wakeups();
  readonly #unreadable: UnreadableDirect[] = [];
  readonly #refused = new Map<DeviceId, string>();
  /** Whose messages were left with the relay, up to `#readTo`. */
  readonly #held = new Set<MemberId>();
  #readTo = 0;
  #endpoint: PairwiseEndpoint | null = null;
  #isAwake = false;
  #isTryingAgain = false;
  #running: Promise<void> | null = null;

  constructor(parts: DirectParts) {
    this.#parts = parts;
    this.#noted = notedKeyStore(parts.keyStore);
    void this.#look();
  }

  /** Messages that are safe on this device and that the relay has not confirmed to keep, one for each device they go to. */
  get waiting(): number {
    return this.#parts.shelf.letters.length;
  }

  /** The newest messages that show nothing, at most 100. */
  get unreadable(): readonly UnreadableDirect[] {
    return [...this.#unreadable];
  }

  /** The devices whose mail the relay has refused, while it waits. */
  get refused(): readonly RefusedDirect[] {
    const { letters } = this.#parts.shelf;
    return [...this.#refused]
      .filter(([device]) => letters.some(({ recipient }) => recipient === device))
      .map(([device, code]) => ({ device, code }));
  }

  /**
   * Members of whom this device keeps as much as it keeps of one: what they have written since waits with the relay
   * until older messages are over, or its own time is.
   */
  get held(): readonly MemberId[] {
    return [...this.#held];
  }

  /**
   * Writes to a member: to each of their active devices, and to one's own others. Resolves once it is durable here.
   * @throws ClientError `unknown-member`, `unreachable` when all their devices were away for too long to seal to,
   *   `mailbox-full` when so much waits for all of them that no more does, `too-large` over 8 KiB, `closed`
   */
  send(member: MemberId, body: Body): Promise<SentDirect> {
    return this.#writing.run(async () => {
      this.#assertOpen();
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
  }

  get #lastSentMs(): number {
    const { shelf, self } = this.#parts;
    return shelf.kept.reduce(
      (most, { sender, timeMs }) => (sender === self.device ? Math.max(most, timeMs) : most),
      0,
    );
  }

  /** What the retention window holds: what is over shows nothing, deleted or not. */
  #kept(): readonly KeptDirect[] {
    const startMs = this.#windowStartMs();
    return this.#parts.shelf.kept.filter(({ timeMs }) => timeMs >= startMs);
  }

  #windowStartMs(): number {
    const { directory, member, time } = this.#parts;
    if (directory.size === 0) return 0;
    const { policy, members } = directory.state;
    const role = members.get(member)?.role ?? 'member';
    return windowStartMs(policy, role, decidingMs(time, role));
  }

  #devicesFor(member: MemberId): Device[] {
    const { directory, self } = this.#parts;
    const { members, devices } = directory.state;
    const ids = new Set([member, this.#parts.member].flatMap((id) => members.get(id)?.activeDevices ?? []));
    ids.delete(self.device);
    return [...ids].map((id) => devices.get(id) as Device);
  }

  async #seal(
    devices: readonly Device[],
    plaintext: Uint8Array,
    nowMs: number,
  ): Promise<Omit<SentDirect, 'id'> & { readonly letters: readonly Omit<Letter, 'name'>[] }> {
    const { ports, sealingRecords, shelf } = this.#parts;
    const letters: Omit<Letter, 'name'>[] = [];
    const silent: DeviceId[] = [];
    const full: DeviceId[] = [];
    for (const device of devices) {
      if (isFull(shelf.letters, device.id)) {
        full.push(device.id);
        continue;
      }
      const choice = sealingRecords.choiceAt(device, nowMs);
      if (choice.kind === 'silent') {
        silent.push(device.id);
        continue;
      }
      const encapsulator = ports.primitives.encapsulator(choice.record.publicKey);
      // A box leaves nothing behind on this side: the letters are kept together, with the message itself.
      const wire = await boxChannel(this.#ownEnd(), { record: device, encapsulator }).seal(
        plaintext,
        () => [],
      );
      letters.push({ recipient: device.id, id: ports.random(16), wire, madeMs: nowMs });
    }
    return { letters, silent, full };
  }

  /** This device's end of its channels; needs its place in the membership log. */
  #ownEnd(): PairwiseEndpoint {
    const { ports, org, self, directory, sealing } = this.#parts;
    this.#endpoint ??= pairwiseEndpoint({
      primitives: ports.primitives,
      random: ports.random,
      org,
      store: this.#noted.store,
      signer: self.signer,
      record: directory.state.devices.get(self.device) as Device,
      sealingKey: (keyId) => sealing.withId(keyId),
    });
    return this.#endpoint;
  }

  async #run(): Promise<void> {
    this.#isAwake = false;
    try {
      await this.#forget();
      if (!this.#parts.isOnline()) return;
      await this.#pull();
      if (await this.#flush()) return;
    } catch {
      // What the relay does passes, and what this device cannot keep is told by whatever else it does.
    }
    void this.#tryAgain();
  }

  /** Out of reach, the next connection wakes this; while there is one, a little later. */
  async #tryAgain(): Promise<void> {
    if (this.#isTryingAgain) return;
    this.#isTryingAgain = true;
    await this.#parts.ports.clock.wait(RETRY_MS, this.#stopping.signal);
    this.#isTryingAgain = false;
    if (!this.#stopping.signal.aborted && this.#parts.isOnline()) this.wake();
  }

  async #pull(): Promise<void> {
    const { api } = this.#parts;
    // What is held is not read again with each hint.
    let after = this.#held.size === 0 ? 0 : this.#readTo;
    for (let more = true; more && !this.#stopping.signal.aborted;) {
      const page = await readMail(api, after);
      const taken: number[] = [];
      for (const { seq, sender, message } of page.messages)
        if (await this.#take(deviceId(sender), message)) taken.push(seq);
      if (taken.length > 0) await confirmMail(api, taken);
      after = page.messages[page.messages.length - 1]?.seq ?? after;
      this.#readTo = after;
      ({ more } = page);
    }
  }

  /** Whether the relay may forget it: not what there is no room for. What does not open now never will. */
  async #take(sender: DeviceId, wire: Uint8Array): Promise<boolean> {
    const { directory, self, shelf } = this.#parts;
    if (!directory.state.devices.has(sender)) await this.#parts.pullDirectory();
    const device = directory.state.devices.get(sender);
    if (device !== undefined && isActive(directory.state, sender)) {
      const theirs = shelf.kept.filter(
        ({ sender: by }) => by !== self.device && directory.state.devices.get(by)?.member === device.member,
      );
      if (!hasRoom(theirs, device.member === this.#parts.member)) {
        this.#held.add(device.member);
        this.#changes.wake();
        return false;
      }
    }
    await this.#open(sender, wire);
    return true;
  }

  async #open(sender: DeviceId, wire: Uint8Array): Promise<void> {
    const { directory, ports } = this.#parts;
    const device = directory.state.devices.get(sender);
    if (device === undefined) return this.#refuse(sender, 'device-not-certified');
    if (!isActive(directory.state, sender)) return this.#refuse(sender, 'removed');
    let kept: KeptDirect | null = null;
    const keep = (plaintext: Uint8Array): readonly KeyStoreChange[] => {
      const shelved = this.#shelve(device, plaintext);
      kept = shelved.kept;
      return [shelved.change];
    };
    try {
      const encapsulator = ports.primitives.encapsulator(device.sealing.publicKey);
      await boxChannel(this.#ownEnd(), { record: device, encapsulator }).open(wire, keep);
    } catch (error) {
      // What this device cannot keep stays with the relay.
      if (!(error instanceof CryptoError) || this.#noted.failedWith(error)) throw error;
      // A repetition is here already.
      if (error.code !== 'replayed') this.#refuse(sender, error.code);
      return;
    }
    if (kept !== null) this.#parts.shelf.add(kept);
    this.#changes.wake();
  }

  /** @throws CryptoError `wrong-context` for what is no message between these two */
  #shelve(device: Device, plaintext: Uint8Array): ReturnType<DirectShelf['shelve']> {
    const { member, shelf, time } = this.#parts;
    const payload = parseDirectPayload(plaintext);
    if (payload === null || (device.member !== member && payload.to !== member))
      throw new CryptoError('wrong-context', 'no direct message to this member');
    const timeMs = Math.min(payload.sentMs, time.now());
    return shelf.shelve({ sender: device.id, timeMs, payload }, plaintext);
  }

  #refuse(device: DeviceId, code: string): void {
    this.#unreadable.push({ device, code });
    if (this.#unreadable.length > UNREADABLE_KEPT) this.#unreadable.shift();
    this.#changes.wake();
  }

  /** Hands in what waits, to each device in order; `false` when something has to wait on. */
  async #flush(): Promise<boolean> {
    const { api, directory, shelf } = this.#parts;
    const blocked = new Set<DeviceId>();
    for (const letter of shelf.letters) {
      const { recipient } = letter;
      if (this.#stopping.signal.aborted) return false;
      if (blocked.has(recipient)) continue;
      try {
        if (isActive(directory.state, recipient)) await postMail(api, letter);
        await shelf.drop([letter]);
        this.#refused.delete(recipient);
      } catch (error) {
        if (!(error instanceof ClientError) || error.code !== 'relay-refused') throw error;
        // What comes later for this device must not come first.
        blocked.add(recipient);
        this.#refused.set(recipient, error.relayCode ?? error.code);
      }
    }
    return blocked.size === 0;
  }

  /** At the start, and once an hour, also out of reach. */
  async #look(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      // There may be room for what was left with the relay.
      this.#held.clear();
      this.wake();
      await this.#parts.ports.clock.wait(LOOK_MS, this.#stopping.signal);
    }
  }

  /** Deletes what is over, and which messages were opened with sealing keys that are gone. */
  async #forget(): Promise<void> {
    const { directory, keyStore, sealing, self, shelf, time } = this.#parts;
    if (directory.size === 0) return;
    await shelf.setBack(time.now());
    if (await shelf.forget(this.#windowStartMs())) {
      // There may be room for what was left with the relay.
      this.#held.clear();
      this.#changes.wake();
    }
    if (!isActive(directory.state, self.device)) return;
    const seen = (await keyStore.names(SEEN)).map((name) => name.slice(SEEN.length).split('/')[0] as string);
    for (const keyId of new Set(seen))
      if (sealing.withId(keyId) === null) await forgetSeenMessages(this.#ownEnd(), keyId, []);
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

  #assertOpen(): void {
    if (this.#stopping.signal.aborted) throw new ClientError('closed', 'the client was closed');
  }
}

/** Where crypto-core keeps which messages were opened (docs/spec/pairwise.md). */
const SEEN = 'pairwise/seen/';
