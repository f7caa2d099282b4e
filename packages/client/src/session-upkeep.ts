import { ABILITY_LIBSIGNAL, type DeviceId } from '@keytide/crypto-core';
import { isActive, type Device } from '@keytide/key-directory';
import { publishPreKeys, readPreKeyStock } from './direct-api.ts';
import type { DirectChannelParts, DirectChannels } from './direct-channels.ts';
import type { DirectShelf, Letter } from './direct-shelf.ts';
import { ClientError } from './errors.ts';
import type { SessionKeeping } from './sessions.ts';

/** So many messages of a peer are opened before it is told, for it keeps the last 64. */
const TOLD_AFTER = 16;

/** So often it is tried again to ask for what was lost: something else may have been asked for a moment ago. */
const TRIES = 3;

interface SessionUpkeepParts extends DirectChannelParts {
  readonly shelf: DirectShelf;
  pullSealingRecords(): Promise<void>;
}

/** What this device's sessions need besides messages: pre-keys at the relay, notices to peers, and an end. */
export class SessionUpkeep {
  readonly #parts: SessionUpkeepParts;
  readonly #channels: DirectChannels;
  /** Messages that were opened since the peer was told. */
  readonly #opened = new Map<DeviceId, number>();
  /** Peers that are to be told, and how often that is tried again. */
  readonly #owed = new Map<DeviceId, number>();
  /** Whether to look after all peers. */
  #isRoundDue = true;
  /** Whether to look after pre-keys. */
  #isStockDue = true;

  constructor(parts: SessionUpkeepParts, channels: DirectChannels) {
    this.#parts = parts;
    this.#channels = channels;
  }

  /** Once an hour. */
  due(): void {
    this.#isRoundDue = true;
    this.#isStockDue = true;
  }

  /** A message was opened. One that starts a session has used up a pre-key. */
  opened(device: DeviceId, isStart: boolean): void {
    const count = (this.#opened.get(device) ?? 0) + 1;
    this.#opened.set(device, count);
    if (count >= TOLD_AFTER) this.#owe(device, 0);
    if (isStart) this.#isStockDue = true;
  }

  /** A message was not opened: the peer may be asked for it, and pre-keys may be out of step. */
  lost(device: DeviceId): void {
    this.#owe(device, TRIES);
    this.#isStockDue = true;
  }

  /**
   * Publishes pre-keys, then seals what peers are owed to be told.
   * @returns whether something is to be tried again soon
   * @throws ClientError `offline`; whatever the store throws
   */
  async run(): Promise<boolean> {
    const { sessions, directory } = this.#parts;
    if (sessions === null || !this.#isAble) return false;
    if (this.#isStockDue) await this.#publish();
    this.#isStockDue = false;
    if (this.#isRoundDue)
      for (const peer of await sessions.peers(this.#channels.endpoint)) this.#owe(peer, 0);
    this.#isRoundDue = false;
    for (const [id, tries] of [...this.#owed]) {
      const device = directory.state.devices.get(id);
      if (device !== undefined && this.#isPeer(device)) await this.#tell(device);
      if (tries === 0) this.#owed.delete(id);
      else this.#owed.set(id, tries - 1);
    }
    return this.#owed.size > 0;
  }

  #owe(device: DeviceId, tries: number): void {
    this.#owed.set(device, Math.max(tries, this.#owed.get(device) ?? 0));
  }

  /** Deletes what is over. */
  async forget(keeping: Omit<SessionKeeping, 'isActive'>): Promise<void> {
    const { sessions, directory } = this.#parts;
    if (sessions === null || !this.#isAble) return;
    await sessions.forget(this.#channels.endpoint, {
      ...keeping,
      isActive: (peer) => isActive(directory.state, peer),
    });
  }

  get #isAble(): boolean {
    const { directory, self } = this.#parts;
    const own = directory.size === 0 ? undefined : directory.state.devices.get(self.device);
    return own !== undefined && (own.abilities & ABILITY_LIBSIGNAL) !== 0;
  }

  #isPeer(device: Device): boolean {
    return isActive(this.#parts.directory.state, device.id) && this.#channels.holdsSession(device);
  }

  async #tell(device: Device): Promise<void> {
    const { shelf, ports, time } = this.#parts;
    if (!this.#channels.canSealTo(device)) await this.#parts.pullSealingRecords().catch(() => {});
    if (!this.#channels.canSealTo(device)) return;
    let notice: Letter | null = null;
    await this.#channels.session(device).sealNotice((bytes) => {
      const id = ports.random(16);
      const enclosed = shelf.enclose({
        recipient: device.id,
        id,
        isSealed: true,
        bytes,
        madeMs: time.now(),
      });
      notice = enclosed.letter;
      return [enclosed.change];
    });
    if (notice === null) return;
    shelf.addLetters([notice]);
    this.#opened.delete(device.id);
  }

  async #publish(): Promise<void> {
    const { sessions, api, time } = this.#parts;
    const { endpoint } = this.#channels;
    try {
      const left = (await readPreKeyStock(api)) ?? 0;
      if (!(await sessions?.arePreKeysDue(endpoint, left, time.now()))) return;
      const made = await sessions?.preparePreKeys(endpoint, left, time.now());
      if (made !== undefined) await publishPreKeys(api, made);
    } catch (error) {
      // A relay that takes none is asked again in an hour; who wants to start a session finds out.
      if (!(error instanceof ClientError) || error.code === 'offline') throw error;
    }
  }
}
