import {
  CryptoError,
  deviceId,
  parsePairwiseKind,
  type DeviceId,
  type KeyStoreChange,
  type MemberId,
} from '@keytide/crypto-core';
import { isActive, type Device } from '@keytide/key-directory';
import { confirmMail, postMail, readMail } from './direct-api.ts';
import type { DirectChannelParts, DirectChannels } from './direct-channels.ts';
import { parseDirectPayload } from './direct-payload.ts';
import { hasRoom } from './direct-room.ts';
import type { DirectShelf, KeptDirect, Letter } from './direct-shelf.ts';
import type { SessionUpkeep } from './session-upkeep.ts';

/** A message to this device that shows nothing, and why (docs/spec/direct.md). */
export interface UnreadableDirect {
  /** Who sent it, by the relay's word. */
  readonly device: DeviceId;
  readonly code: string;
}

/**
 * A device that messages wait for here although the relay is there: it takes none, or has no pre-keys of that device to
 * start a session with. They are handed in again.
 */
export interface RefusedDirect {
  readonly device: DeviceId;
  /** The relay's code, as `quota-exceeded` or `no-pre-keys`, or what is wrong with what it gave. */
  readonly code: string;
}

export interface DirectMailParts extends DirectChannelParts {
  readonly member: MemberId;
  readonly shelf: DirectShelf;
  pullDirectory(): Promise<void>;
}

interface DirectMailTools {
  readonly channels: DirectChannels;
  readonly upkeep: SessionUpkeep;
  readonly stopping: AbortSignal;
  /** Something can be shown that could not before, or is told that it cannot. */
  readonly onNews: () => void;
}

const UNREADABLE_KEPT = 100;
/** Of a message that there is no room for. */
const HELD = 'held';
/** How long a notice that has to wait is left alone, and with it every other one of that device. */
const NOTICE_REST_MS = 30_000;

/** This device's mailbox at the relay, and what it hands in for those of others (docs/spec/mail.md). */
export class DirectMail {
  readonly #parts: DirectMailParts;
  readonly #tools: DirectMailTools;
  readonly #unreadable: UnreadableDirect[] = [];
  #refused: ReadonlyMap<DeviceId, string> = new Map();
  /** Whose messages were left with the relay, up to `#readTo`. */
  readonly #held = new Set<MemberId>();
  #readTo = 0;
  /** Notices that wait with the relay, one of each device, and until when they rest. */
  readonly #resting = new Map<DeviceId, { readonly untilMs: number; readonly code: string }>();

  constructor(parts: DirectMailParts, tools: DirectMailTools) {
    this.#parts = parts;
    this.#tools = tools;
  }

  /**
   * Takes in what the mailbox holds, says what peers are owed, and hands in what waits.
   * @returns whether all of that is done
   */
  async exchange(): Promise<boolean> {
    const refused = new Map<DeviceId, string>();
    await this.#pull(refused);
    const isOwing = await this.#tools.upkeep.run();
    await this.#flush(refused);
    this.#refused = refused;
    return refused.size === 0 && !isOwing;
  }

  /** The newest messages that show nothing. */
  get unreadable(): readonly UnreadableDirect[] {
    return [...this.#unreadable];
  }

  /** The devices that messages wait for, since the last `exchange`. */
  get refused(): readonly RefusedDirect[] {
    return [...this.#refused].map(([device, code]) => ({ device, code }));
  }

  /** Members whose messages were left with the relay. */
  get held(): readonly MemberId[] {
    return [...this.#held];
  }

  /** There may be room for what was left with the relay. */
  readAgain(): void {
    this.#held.clear();
  }

  /** Takes in what the mailbox holds. `refused` is told of the devices whose notices have to wait there. */
  async #pull(refused: Map<DeviceId, string>): Promise<void> {
    const { api } = this.#parts;
    // What is held is not read again with each hint; a notice that waits is.
    let after = this.#held.size === 0 ? 0 : this.#readTo;
    let readTo = Infinity;
    for (let more = true; more && !this.#tools.stopping.aborted;) {
      const page = await readMail(api, after);
      const taken: number[] = [];
      for (const { seq, sender, message } of page.messages) {
        const device = deviceId(sender);
        // A notice that waits is enough: its device asks again, for what the others ask for too.
        const isSpare = refused.has(device) && isNotice(message);
        const isHeld = !isSpare && (await this.#isHeld(device, message));
        const code = isSpare ? null : isHeld ? HELD : await this.#taken(device, message);
        after = seq;
        if (code === null) taken.push(seq);
        else if (code !== HELD) {
          refused.set(device, code);
          readTo = Math.min(readTo, seq - 1);
        }
      }
      if (taken.length > 0) await confirmMail(api, taken);
      this.#readTo = Math.min(readTo, after);
      ({ more } = page);
    }
  }

  /** Whether there is no room for it, so that the relay must not forget it; a notice takes none. */
  async #isHeld(sender: DeviceId, wire: Uint8Array): Promise<boolean> {
    const { directory, member, self, shelf } = this.#parts;
    if (!directory.state.devices.has(sender)) await this.#parts.pullDirectory();
    const device = directory.state.devices.get(sender);
    if (device === undefined || !isActive(directory.state, sender) || isNotice(wire)) return false;
    const theirs = shelf.kept.filter(
      ({ sender: by }) => by !== self.device && directory.state.devices.get(by)?.member === device.member,
    );
    if (hasRoom(theirs, device.member === member)) return false;
    this.#held.add(device.member);
    this.#tools.onNews();
    return true;
  }

  /** Hands in what waits, to each device in order. `refused` is told of the devices that have to wait on. */
  async #flush(refused: Map<DeviceId, string>): Promise<void> {
    const { api, directory, shelf } = this.#parts;
    const blocked = new Set<DeviceId>();
    for (const letter of shelf.letters) {
      const { recipient } = letter;
      if (this.#tools.stopping.aborted) return;
      if (blocked.has(recipient)) continue;
      try {
        const isGone = !isActive(directory.state, recipient);
        const sealed = letter.isSealed || isGone ? letter : await this.#sealNow(letter);
        if (!isGone) await postMail(api, sealed);
        await shelf.drop([sealed]);
      } catch (error) {
        const code = this.#tools.channels.waitsFor(error);
        if (code === null) throw error;
        // What comes later for this device must not come first.
        blocked.add(recipient);
        refused.set(recipient, code);
      }
    }
  }

  /** Takes a message; a notice that has to wait is tried now and then only, for it may cost pre-keys each time. */
  async #taken(sender: DeviceId, wire: Uint8Array): Promise<string | null> {
    if (!isNotice(wire)) return await this.#take(sender, wire);
    const nowMs = this.#parts.time.now();
    const resting = this.#resting.get(sender);
    if (resting !== undefined && nowMs < resting.untilMs) return resting.code;
    const code = await this.#take(sender, wire);
    if (code === null) this.#resting.delete(sender);
    else this.#resting.set(sender, { untilMs: nowMs + NOTICE_REST_MS, code });
    return code;
  }

  /** Opens a message, once; what does not open now never will, but for what waits: the answer is why. */
  async #take(sender: DeviceId, wire: Uint8Array): Promise<string | null> {
    const { directory, ports, shelf, time } = this.#parts;
    const device = directory.state.devices.get(sender);
    if (device === undefined) return this.#refuse(sender, 'device-not-certified');
    if (!isActive(directory.state, sender)) return this.#refuse(sender, 'removed');
    const brought: KeptDirect[] = [];
    const letters: Letter[] = [];
    const message = (plaintext: Uint8Array): readonly KeyStoreChange[] => {
      const { kept, change } = this.#shelve(device, plaintext);
      brought.push(kept);
      return [change];
    };
    const again = (bytes: Uint8Array): readonly KeyStoreChange[] => {
      const id = ports.random(16);
      const enclosed = shelf.enclose({ recipient: sender, id, isSealed: true, bytes, madeMs: time.now() });
      letters.push(enclosed.letter);
      return [enclosed.change];
    };
    try {
      const code = await this.#tools.channels.open(device, wire, { message, again });
      if (code !== null) return code;
    } catch (error) {
      // What this device cannot keep stays with the relay.
      if (!(error instanceof CryptoError) || this.#tools.channels.isStoreFailure(error)) throw error;
      if (error.code === 'session-lost' || error.code === 'replayed') this.#tools.upkeep.lost(sender);
      // A repetition is here already.
      return error.code === 'replayed' ? null : this.#refuse(sender, error.code);
    }
    for (const kept of brought) shelf.add(kept);
    shelf.addLetters(letters);
    if (brought.length > 0) this.#tools.upkeep.opened(sender, parsePairwiseKind(wire) === 'session-start');
    this.#tools.onNews();
    return null;
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

  #refuse(device: DeviceId, code: string): null {
    this.#unreadable.push({ device, code });
    if (this.#unreadable.length > UNREADABLE_KEPT) this.#unreadable.shift();
    this.#tools.onNews();
    return null;
  }

  /** Seals a letter in the session with its recipient, in the batch that keeps it sealed. */
  async #sealNow(letter: Letter): Promise<Letter> {
    const { directory, shelf } = this.#parts;
    const device = directory.state.devices.get(letter.recipient) as Device;
    let sealed = letter;
    await this.#tools.channels.session(device).seal(letter.bytes, (wire) => {
      const next = shelf.sealed(letter, wire);
      ({ sealed } = next);
      return [next.change];
    });
    shelf.replace(letter, sealed);
    return sealed;
  }
}

function isNotice(wire: Uint8Array): boolean {
  try {
    return parsePairwiseKind(wire) === 'notice';
  } catch {
    return false;
  }
}
