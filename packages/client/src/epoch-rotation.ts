import type { EpochKeys, GroupId } from '@keytide/crypto-core';
import type { Connection, SyncState } from './connection.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochRing, Self } from './epoch-ring.ts';
import { ClientError, type ClientErrorCode } from './errors.ts';
import type { GroupReplica } from './group-replica.ts';
import { createNextEpoch } from './next-epoch.ts';
import type { OwnSealingKeys } from './own-sealing-keys.ts';
import type { Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';
import type { SealingRecords } from './sealing-records.ts';
import type { Serial } from './serial.ts';

/** What epochs are started with. */
interface EpochRotationOptions {
  readonly ports: Ports;
  readonly api: RelayApi;
  readonly connection: Connection;
  readonly self: Self;
  readonly group: GroupId;
  readonly directory: DirectoryReplica;
  readonly epochs: EpochRing;
  readonly replica: GroupReplica;
  readonly sealing: OwnSealingKeys;
  readonly sealingRecords: SealingRecords;
  /** Shared with whoever writes: nobody writes while an epoch is being started. */
  readonly writing: Serial;
  pullDirectory(): Promise<void>;
  /** @throws ClientError `unwitnessed` */
  demandWitnesses(): Promise<void>;
  /** Makes sure of this device's own sealing key. @throws ClientError `not-ready` */
  sealingReady(): Promise<void>;
}

const ATTEMPTS = 5;
const COVER_MS = 2_000;
/** What keeps a device from starting an epoch, and not from writing. */
const WAITING: ReadonlySet<ClientErrorCode> = new Set(['unwitnessed', 'not-ready']);

/** Starts epochs where the block is over or the members have changed. */
export class EpochRotation {
  readonly #options: EpochRotationOptions;

  constructor(options: EpochRotationOptions) {
    this.#options = options;
  }

  /**
   * The keys to write under: those of a new epoch where one is due. Call it as a job of `writing`.
   * @throws ClientError `not-ready`, `unwitnessed`, `closed`, `relay-misbehaved`, or the reason why sync stopped
   */
  async keys(): Promise<EpochKeys> {
    const { connection, epochs, ports } = this.#options;
    const kind = (): SyncState['kind'] => connection.state.kind;
    await connection.until(() => kind() !== 'catching-up');
    let newest = epochs.current?.epoch ?? 0;
    for (let attempt = 0; epochs.needsRotation(ports.clock.now()); attempt += 1) {
      const { epoch } = epochs.current ?? { epoch: 0 };
      // Others were faster, as where many come back at once: each of them can be so once, and no relay makes epochs.
      if (epoch > newest) attempt = 0;
      newest = epoch;
      if (kind() !== 'online') {
        // Out of reach: the newest key there is still reaches everyone who was a recipient of it, but whoever
        // was removed must not read on, and a relay could cut the line to have it so.
        if (epochs.currentKeys !== null && !epochs.isExposed) break;
        await connection.until(() => kind() !== 'connecting' && kind() !== 'catching-up');
        if (kind() === 'online') continue;
        throw new ClientError('not-ready', 'no key to write with yet, and the relay is out of reach');
      }
      if (attempt === ATTEMPTS) {
        throw new ClientError('relay-misbehaved', 'the relay does not let a new epoch start');
      }
      try {
        await this.#tryOnce();
      } catch (error) {
        // As when the relay is out of reach, but not for longer than the epoch's time.
        if (!(error instanceof ClientError) || !WAITING.has(error.code)) throw error;
        if (epochs.currentKeys === null || epochs.isExposed || ports.clock.now() >= epochs.endMs) throw error;
        break;
      }
    }
    return epochs.currentKeys as EpochKeys;
  }

  /**
   * Starts an epoch without whoever was removed, and one in which new roles count, also when nobody writes. Devices
   * take turns by chance.
   */
  async coverExposure(): Promise<void> {
    const { connection, epochs, ports, writing } = this.#options;
    const isDue = (): boolean => epochs.isExposed || epochs.hasOldRoles;
    if (!isDue()) return;
    const share = (ports.random(1)[0] as number) / 255;
    await ports.clock.wait(share * COVER_MS, connection.signal);
    if (!isDue() || connection.state.kind !== 'online') return;
    await writing.run(() => this.keys()).catch(() => {});
  }

  /** Whether there is a new epoch afterwards is for the caller to see. */
  async #tryOnce(): Promise<void> {
    const { ports, api, connection, group, epochs, sealingRecords } = this.#options;
    const { pullDirectory, demandWitnesses, sealingReady } = this.#options;
    const { socket } = connection;
    if (socket === null) return;
    const before = epochs.current?.epoch ?? 0;
    const isThere = (): boolean => (epochs.current?.epoch ?? 0) > before;
    try {
      await pullDirectory();
      await demandWitnesses();
      await sealingRecords.pull((after) => api.readSealingRecords(after));
      await sealingReady();
      const made = await createNextEpoch(this.#options);
      const { statement, boxes } = made;
      await epochs.whileAnnounced(made, async () => {
        await socket.request({ type: 'announce', group, messageId: ports.random(16), statement, boxes });
        await connection.shows(socket, isThere);
      });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.relayCode === 'epoch-taken') {
        await connection.shows(socket, isThere);
      } else if (error.code === 'offline' || error.relayCode === 'session-ended') {
        // The HTTP side may notice first that the relay is gone: from here on this device is offline. A session that
        // ends now is followed by a new one, and whoever writes knows of neither.
        connection.giveUp(socket, error);
        await connection.until(() => connection.socket !== socket);
      } else if (error.relayCode === 'stale-directory') {
        sealingRecords.startOver();
      } else {
        throw error;
      }
    }
  }
}
