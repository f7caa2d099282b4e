import { parseEnvelopeHeader, type EpochKeys, type GroupId } from '@keytide/crypto-core';
import type { Connection } from './connection.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import { draftsAgain, sealDrafts, type Draft } from './draft.ts';
import type { EpochRing, Self } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import type { EpochRotation } from './epoch-rotation.ts';
import type { GroupReplica } from './group-replica.ts';
import type { Outbox } from './outbox.ts';
import type { OwnHead } from './own-head.ts';
import type { Ports } from './ports.ts';
import type { RelaySocket } from './relay-socket.ts';
import type { Serial } from './serial.ts';
import type { Unsealed } from './unsealed.ts';

/** What is written with, and where it goes. */
interface SenderOptions {
  readonly ports: Ports;
  readonly connection: Connection;
  readonly self: Self;
  readonly group: GroupId;
  readonly directory: DirectoryReplica;
  readonly epochs: EpochRing;
  readonly replica: GroupReplica;
  readonly outbox: Outbox;
  readonly ownHead: OwnHead;
  readonly unsealed: Unsealed;
  readonly rotation: EpochRotation;
  readonly writing: Serial;
  /** Gives out the counters of this device's chain, one after the other. */
  readonly chaining: Serial;
  /** What was said here, under this epoch, is durable in the outbox, and waits for the log to show it. */
  onWaiting(payload: Uint8Array, epoch: number): void;
}

type Append = Parameters<RelaySocket['request']>[0];

const BATCH_MESSAGES = 500;
const BATCH_BYTES = 512 * 1024;
/** Between two attempts where the relay takes no more for now. */
const REST_MS = { first: 1_000, most: 30_000 };

/** What this device writes: sealed into the outbox, then to the relay, one batch in flight. */
export class Sender {
  readonly #options: SenderOptions;
  #ackedCounter = -1;
  #isFlushing = false;
  #isAllTold = true;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /**
   * Seals drafts and makes them durable in the outbox, in order.
   * @throws ClientError `not-ready`, `closed`, or the reason why sync stopped
   */
  send(drafts: readonly Draft[]): Promise<void> {
    const { connection, writing } = this.#options;
    return writing.run(async () => {
      connection.assertOpen();
      await this.#keep(drafts);
      void this.#flush();
    });
  }

  /** Tells of everything that waits, as far as there are keys for it: after a start nothing else knows of it. */
  tellWaiting(): void {
    const { outbox, epochs, onWaiting } = this.#options;
    const drafts = draftsAgain(epochs, outbox.all);
    this.#isAllTold = drafts.length === outbox.size;
    for (const { payload, epoch } of drafts) onWaiting(payload, epoch);
  }

  /** A new socket knows nothing of what the one before has acknowledged. */
  startOver(): void {
    this.#ackedCounter = -1;
  }

  /** Sends what waited for the connection, under an epoch of now. */
  async resume(): Promise<void> {
    const { outbox, unsealed, rotation, writing } = this.#options;
    if (!this.#isAllTold) this.tellWaiting();
    try {
      if (outbox.size + unsealed.size > 0) await writing.run(() => rotation.keys());
    } catch {
      // Told to whoever writes next; until then everything stays in the outbox.
      return;
    }
    void this.#flush();
    void this.sayAgain();
  }

  /** Seals anew what the log went on without: those envelopes have lost their place in this device's chain. */
  async sayAgain(): Promise<void> {
    const { connection, outbox, unsealed, epochs, writing } = this.#options;
    if (outbox.passedOver.length + unsealed.size === 0 || connection.state.kind !== 'online') return;
    await writing
      .run(async () => {
        const drafts = [...unsealed.drafts, ...draftsAgain(epochs, outbox.passedOver)];
        if (drafts.length === 0) return;
        await this.#keep(drafts);
        await unsealed.forget(({ replaces }) => outbox.saysAgain(replaces));
      })
      // What keeps it from being sealed now is told to whoever writes next; it stays in the outbox until then.
      .catch(() => {});
    void this.#flush();
  }

  /** Call it as a job of `writing`. */
  async #keep(drafts: readonly Draft[]): Promise<void> {
    const { connection, chaining, epochs, outbox, rotation, onWaiting } = this.#options;
    // A rewind may have come between.
    const isUnsaid = ({ replaces }: Draft): boolean => replaces === undefined || !outbox.saysAgain(replaces);
    let keys: EpochKeys | null = null;
    while (keys === null) {
      const fresh = await rotation.keys();
      await chaining.run(async () => {
        // The relay may have been put back meanwhile, and have lost this epoch.
        if (epochs.keysOf(fresh.epoch) !== fresh) return;
        await outbox.add(sealDrafts(this.#options, fresh, drafts.filter(isUnsaid)));
        keys = fresh;
      });
    }
    const { epoch } = keys as EpochKeys;
    // Where everything has left the memory meanwhile, nothing is shown.
    if (connection.ended === null) for (const { payload } of drafts) onWaiting(payload, epoch);
  }

  async #flush(): Promise<void> {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    const { connection, outbox, group, replica, self } = this.#options;
    const { socket } = connection;
    let restMs = REST_MS.first;
    this.#passOverExposed();
    try {
      while (socket !== null && socket === connection.socket && connection.state.kind === 'online') {
        const batch = outbox.after(this.#ackedCounter, BATCH_MESSAGES, BATCH_BYTES);
        const last = batch[batch.length - 1];
        if (last === undefined) break;
        const isTaken = await this.#handIn(socket, { type: 'append', group, items: batch });
        if (!isTaken) {
          await this.#rest(socket, restMs);
          restMs = Math.min(2 * restMs, REST_MS.most);
          this.#passOverExposed();
          continue;
        }
        restMs = REST_MS.first;
        this.#ackedCounter = last.counter;
        const isShown = (): boolean => (replica.headOf(self.device)?.counter ?? -1) >= last.counter;
        void connection.shows(socket, isShown).catch(() => {});
      }
    } catch (error) {
      if (socket !== null) connection.giveUp(socket, error);
    } finally {
      this.#isFlushing = false;
      connection.changed();
    }
  }

  /** False where the relay took nothing of it, and will: its organisation calls too often. */
  async #handIn(socket: RelaySocket, append: Append): Promise<boolean> {
    try {
      await socket.request(append);
      return true;
    } catch (error) {
      if (!(error instanceof ClientError) || error.relayCode !== 'rate-limited') throw error;
      return false;
    }
  }

  /** Waits about so long, with a share of chance for who was refused together; not longer than the connection lives. */
  async #rest(socket: RelaySocket, ms: number): Promise<void> {
    const { clock, random } = this.#options.ports;
    const ended = new AbortController();
    void socket.closed.then(() => ended.abort());
    const share = (random(1)[0] as number) / 255;
    await clock.wait(ms * (0.5 + share / 2), ended.signal);
  }

  /**
   * What was sealed while somebody since removed could read it, and has not left this device, is sealed anew.
   * Receivers will miss the counters of the envelopes given up.
   */
  #passOverExposed(): void {
    const { outbox, epochs } = this.#options;
    const known = new Map<number, boolean>();
    const isExposed = outbox.passOver(this.#ackedCounter, ({ envelope }) => {
      const { epoch } = parseEnvelopeHeader(envelope);
      const exposes = known.get(epoch) ?? epochs.exposes(epoch);
      known.set(epoch, exposes);
      return exposes;
    });
    // Not for what was given up before: saying it again ends here, and what failed once would be tried without end.
    if (isExposed) void this.sayAgain();
  }
}
