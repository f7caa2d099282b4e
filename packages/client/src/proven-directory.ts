import type { DeviceId, KeyStore, MemberId, Primitives, Random } from '@keytide/crypto-core';
import {
  auditPast,
  MAX_AHEAD_MS,
  openMapNote,
  randomSize,
  witnessedUntil,
  type Anchor,
  type MapCheckpoint,
  type Policy,
  type ProofTools,
} from '@keytide/key-directory';
import { ClientError } from './errors.ts';
import { nextAnchor, type ReaderTime } from './next-anchor.ts';
import type { Clock } from './ports.ts';
import { proofFailure } from './proof-failure.ts';
import {
  deviceIn,
  memberIn,
  ownHeads,
  proveHeads,
  type ProvenDevice,
  type ProvenMember,
} from './proven-heads.ts';
import { headChange, nameText, recordChange, type KeptHead, type ProvenRecord } from './proven-record.ts';
import type { RelayApi } from './relay-api.ts';
import { replayedSince } from './replayed-anchor.ts';
import { Serial } from './serial.ts';

/** Up to so many active devices every client replays the membership log. */
export const REPLAY_LIMIT = 5_000;

/** What a proven directory works with. */
export interface ProvenDirectoryTools {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly clock: Pick<Clock, 'now'>;
  readonly keyStore: KeyStore;
  readonly api: RelayApi;
  /** The device that asks; `null` for the holder of an invite. */
  readonly device: DeviceId | null;
  readonly replayLimit: number;
}

type Name = KeptHead['name'];

/**
 * The organisation by proofs, for a client that does not replay (docs/spec/proof-mode.md): it believes what enough
 * admins have replayed and cosigned, and proves whom it deals with. Whoever was looked up is kept, also without the
 * network, until the next `refresh` proves them anew.
 */
export class ProvenDirectory {
  readonly #tools: ProvenDirectoryTools;
  readonly #jobs = new Serial();
  #record: ProvenRecord;
  #heads: ReadonlyMap<string, KeptHead>;
  #forked: ClientError | null = null;

  constructor(tools: ProvenDirectoryTools, record: ProvenRecord, heads: readonly KeptHead[]) {
    this.#tools = tools;
    this.#record = record;
    this.#heads = byName(heads);
  }

  /** The checkpoint that everything here is under. */
  get checkpoint(): MapCheckpoint {
    return this.#anchor.checkpoint;
  }

  get policy(): Policy {
    return this.#anchor.policy;
  }

  /** How many devices are active in the organisation. */
  get activeDevices(): number {
    return this.#anchor.organisation.activeDevices;
  }

  /** The members who can act as admin, in byte order of their ids. */
  get admins(): readonly MemberId[] {
    return this.#anchor.organisation.admins;
  }

  /** Until when the cosignatures under this checkpoint count, in milliseconds since 1970. */
  get witnessedUntilMs(): number {
    return witnessedUntil(this.#anchor) * 1000;
  }

  /** Whether enough admins vouch for this checkpoint now. If not, what is here is true of the past only. */
  get isWitnessed(): boolean {
    return this.#time.nowSeconds * 1000 <= this.witnessedUntilMs;
  }

  /**
   * A member, present or past; `null` where it is proved that there never was such a member.
   * @throws ClientError `offline` for somebody not looked up before; `relay-misbehaved`, `relay-forked`
   */
  async member(id: MemberId): Promise<ProvenMember | null> {
    return (await this.members([id]))[0] as ProvenMember | null;
  }

  /** Several members, in their order, as `member`; those that are not here are looked up side by side. */
  async members(ids: readonly MemberId[]): Promise<readonly (ProvenMember | null)[]> {
    const heads = await this.#lookUp(ids.map((id): Name => ({ of: 'member', id })));
    return heads.map((head, i) => head && memberIn(ids[i] as MemberId, head));
  }

  /** A device, present or past, with its keys; `null` where it is proved that there never was such a device. @throws as `member` */
  async device(id: DeviceId): Promise<ProvenDevice | null> {
    return (await this.devices([id]))[0] as ProvenDevice | null;
  }

  /** Several devices, as `members`. */
  async devices(ids: readonly DeviceId[]): Promise<readonly (ProvenDevice | null)[]> {
    const heads = await this.#lookUp(ids.map((id): Name => ({ of: 'device', id })));
    return heads.map((head, i) => head && deviceIn(ids[i] as DeviceId, head));
  }

  /** This device and whose it is; `null` where it is proved to be nobody's, and for the holder of an invite. @throws as `member` */
  async self(): Promise<{ device: ProvenDevice; member: ProvenMember } | null> {
    const { device: id } = this.#tools;
    const device = id === null ? null : await this.device(id);
    const member = device === null ? null : await this.member(device.member);
    return device === null || member === null ? null : { device, member };
  }

  /**
   * Goes to the newest checkpoint that enough admins have cosigned lately, and proves everybody kept anew under it;
   * all of it, or nothing. Durable when it resolves.
   * @throws ClientError `offline`; `unwitnessed`, with what the relay shows as evidence; `replay-needed` in an
   *   organisation small enough to be replayed; `relay-misbehaved`; `relay-forked`, after which nothing works here
   */
  refresh(): Promise<void> {
    return this.#run(async () => {
      const anchor = await this.#step();
      if (anchor.organisation.activeDevices <= this.#tools.replayLimit)
        throw new ClientError('replay-needed', 'this organisation is small enough to be replayed');
      const kept = [...this.#heads.values()];
      const heads = await this.#proving(() => proveHeads(this.#proofs, anchor.checkpoint, kept), anchor.note);
      const times = anchor.cosigners.map(({ timeSeconds }) => timeSeconds);
      const newestSeconds = Math.max(this.#record.newestSeconds, ...times);
      const record = { ...this.#record, anchor, newestSeconds };
      await this.#tools.keyStore.write([recordChange(record), ...heads.map(headChange)]);
      this.#record = record;
      this.#heads = byName(heads);
    });
  }

  /**
   * Holds a checkpoint of the past, chosen at random, to what is believed now: its log must be the start of the
   * present one, and its map must tell this device's own story.
   * @returns the size of the log that was looked at
   * @throws ClientError `offline`, `relay-misbehaved`, `relay-forked`
   */
  async audit(): Promise<number> {
    await this.self();
    return await this.#run(async () => {
      const { api, random } = this.#tools;
      const size = randomSize(random, this.#record.firstSize, this.checkpoint.size);
      const note = await this.#proving(() => api.readCheckpoint(size));
      await this.#proving(async () => {
        const { checkpoint } = openMapNote(note);
        if (checkpoint.size !== size)
          throw new ClientError('relay-misbehaved', 'the relay shows another checkpoint');
        await auditPast(this.#proofs, this.checkpoint, checkpoint, ownHeads(this.#heads, this.#tools.device));
      }, note);
      return size;
    });
  }

  /** From what this device has replayed since, where that leads on: the admins of the anchor may be gone. */
  async #step(): Promise<Anchor> {
    const { api, keyStore } = this.#tools;
    const replayed = await replayedSince(keyStore, this.#proofs, this.#anchor);
    if (replayed !== null) {
      try {
        return await nextAnchor(api, this.#proofs, replayed, this.#time);
      } catch (error) {
        if (!(error instanceof ClientError && error.code === 'unwitnessed')) throw error;
      }
    }
    return await nextAnchor(api, this.#proofs, this.#anchor, this.#time);
  }

  get #anchor(): Anchor {
    return this.#record.anchor;
  }

  get #proofs(): ProofTools {
    return { primitives: this.#tools.primitives, source: this.#tools.api };
  }

  /** Never runs backwards, whatever the clock does, nor further ahead of it than one cosignature may be. */
  get #time(): ReaderTime {
    const clockSeconds = Math.floor(this.#tools.clock.now() / 1000);
    const { newestSeconds } = this.#record;
    return {
      nowSeconds: Math.max(clockSeconds, newestSeconds),
      latestSeconds: Math.max(clockSeconds + MAX_AHEAD_MS / 1000, newestSeconds),
    };
  }

  #lookUp(names: readonly Name[]): Promise<readonly (KeptHead | null)[]> {
    return this.#run(async () => {
      const missing = names.filter((name) => !this.#heads.has(nameText(name)));
      if (missing.length > 0) {
        const unproven = missing.map((name) => ({ name, keys: null }));
        const found = await this.#proving(() => proveHeads(this.#proofs, this.checkpoint, unproven));
        await this.#tools.keyStore.write(found.map(headChange));
        this.#heads = byName([...this.#heads.values(), ...found]);
      }
      return names.map((name) => this.#heads.get(nameText(name)) ?? null);
    });
  }

  /** Runs what only proofs can answer; a refusal becomes what it means of the relay. */
  async #proving<T>(work: () => Promise<T>, note: Uint8Array = this.#anchor.note): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw await proofFailure(this.#proofs, this.#anchor, note, error);
    }
  }

  /** One job after another; none once the relay has contradicted itself. */
  #run<T>(job: () => Promise<T>): Promise<T> {
    return this.#jobs.run(async () => {
      if (this.#forked !== null) throw this.#forked;
      try {
        return await job();
      } catch (error) {
        if (error instanceof ClientError && error.code === 'relay-forked') this.#forked = error;
        throw error;
      }
    });
  }
}

function byName(heads: readonly KeptHead[]): ReadonlyMap<string, KeptHead> {
  return new Map(heads.map((head) => [nameText(head.name), head]));
}
