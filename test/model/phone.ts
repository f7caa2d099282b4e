import { ClientError, type DeviceStore, memoryDeviceStore, type Ports } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import {
  asciiBytes,
  deviceIdOf,
  Secret,
  type CreatedEpoch,
  type DeviceId,
  type MemberId,
  type OrgId,
  type Random,
  type Signer,
} from '@keytide/crypto-core';
import { everyoneGroup, type Checkpoint, type DirectoryState, type OwnDevice } from '@keytide/key-directory';
import type { GroupEntry } from '@keytide/relay-protocol';
import { DirectoryReplica } from '../../packages/client/src/directory-replica.ts';
import { sealDrafts } from '../../packages/client/src/draft.ts';
import { EpochKeyStore } from '../../packages/client/src/epoch-key-store.ts';
import { EpochRing, type EpochSource } from '../../packages/client/src/epoch-ring.ts';
import { GroupReplica, type Outcome } from '../../packages/client/src/group-replica.ts';
import { loadIdentity, saveIdentity } from '../../packages/client/src/identity.ts';
import { createNextEpoch } from '../../packages/client/src/next-epoch.ts';
import { Outbox } from '../../packages/client/src/outbox.ts';
import { OwnHead } from '../../packages/client/src/own-head.ts';
import { OwnSealingKeys } from '../../packages/client/src/own-sealing-keys.ts';
import { SealingRecords } from '../../packages/client/src/sealing-records.ts';
import type { Ground } from './ground.ts';

/** What a relay shows to one phone. */
export interface Shown {
  readonly wires: readonly Uint8Array[];
  /** The phone's box of the statement that it is reading. */
  readonly box: Uint8Array | null;
}

/** The parts of a client, without its sockets: everything that decides who reads what. */
interface Parts {
  readonly directory: DirectoryReplica;
  readonly sealing: OwnSealingKeys;
  readonly records: SealingRecords;
  readonly ring: EpochRing;
  readonly replica: GroupReplica;
}

const CHANNEL = new Uint8Array(16);

/** One device, real but for its relay. */
export class Phone {
  readonly name: string;
  readonly id: DeviceId;
  readonly signer: Signer;
  /** Every 32 bytes it ever drew: what a thief has who got each of its secrets before it was deleted. */
  readonly drawn: Uint8Array[] = [];
  readonly #ground: Ground;
  readonly #ports: Ports;
  readonly #signingSeed: Uint8Array;
  readonly #sealingSeed: Uint8Array;
  readonly #store: DeviceStore = memoryDeviceStore();
  readonly #read: { entry: GroupEntry; box: Uint8Array | null }[] = [];
  #parts: Parts | null = null;
  #shown: Shown = { wires: [], box: null };

  constructor(ground: Ground, name: string, random: Random) {
    const { primitives } = ground;
    this.#signingSeed = random(32);
    const draw: Random = (sizeBytes) => {
      const bytes = random(sizeBytes);
      if (sizeBytes === 32) this.drawn.push(bytes.slice());
      return bytes;
    };
    this.name = name;
    this.#ground = ground;
    this.#ports = {
      ...nodePorts,
      primitives,
      random: draw,
      clock: { now: () => ground.nowMs, wait: async () => {} },
    };
    this.signer = primitives.signer(this.#signingSeed);
    this.id = deviceIdOf(primitives, this.signer.publicKey);
    this.#sealingSeed = draw(32);
  }

  /** What it brings into a log, with a first sealing key for a block from now on. */
  own(nowMs: number, blockMs: number): OwnDevice {
    const sealingPublicKey = this.#ground.primitives.decapsulator(this.#sealingSeed).publicKey;
    return {
      signer: this.signer,
      abilities: 0,
      sealingPublicKey,
      notBeforeMs: nowMs,
      notAfterMs: nowMs + blockMs,
    };
  }

  /** Comes in with an invite's checkpoint, which the log must pass through. */
  async enter(org: OrgId, member: MemberId, anchor: Checkpoint): Promise<void> {
    const identity = {
      org,
      member,
      relayUrl: 'https://relay.example.org',
      signingSeed: Secret.own(this.#signingSeed.slice()),
      sealingSeed: Secret.own(this.#sealingSeed.slice()),
    };
    await saveIdentity(this.#store.keys, identity, { kind: 'join', link: '', handle: null }, anchor);
    await this.reopen();
  }

  /** Starts anew from what is stored, as after the process has ended. */
  async reopen(): Promise<void> {
    const { primitives, random } = this.#ports;
    const { keys: keyStore } = this.#store;
    const stored = await loadIdentity(keyStore);
    if (stored === null) throw new Error(`${this.name} was never let in`);
    const { org, sealingSeed: firstSeed } = stored.identity;
    const membership = await this.#store.journal('membership');
    this.#shown = { wires: await membership.read(0), box: null };
    const directory = await DirectoryReplica.open({ primitives, keyStore, org, journal: membership });
    const sealing = await OwnSealingKeys.open({
      primitives,
      random,
      keyStore,
      directory,
      device: this.id,
      signer: this.signer,
      firstSeed,
    });
    const journal = await this.#store.journal('sealing-records');
    const records = await SealingRecords.open({ primitives, journal, directory });
    const group = everyoneGroup(primitives, org);
    const self = { device: this.id, signer: this.signer, sealing };
    const source: EpochSource = {
      canAsk: () => true,
      box: async () => this.#shown.box,
      pullDirectory: () => this.#pull(directory),
    };
    const keys = await EpochKeyStore.open(keyStore, group);
    const windowStartMs = (): number => 0;
    const ring = new EpochRing({ primitives, group, directory, self, keys, source, windowStartMs });
    const replica = new GroupReplica(primitives, group, ring);
    this.#parts = { directory, sealing, records, ring, replica };
    for (const { entry, box } of this.#read) await this.#process(entry, box);
  }

  get state(): DirectoryState {
    return this.#open.directory.state;
  }

  get ring(): EpochRing {
    return this.#open.ring;
  }

  get sealing(): OwnSealingKeys {
    return this.#open.sealing;
  }

  /** Takes over a membership log, after checking it. @throws ClientError `relay-forked`, `relay-misbehaved` */
  async pull(wires: readonly Uint8Array[]): Promise<void> {
    const before = this.#shown;
    this.#shown = { wires, box: null };
    try {
      await this.#pull(this.#open.directory);
    } catch (error) {
      this.#shown = before;
      throw error;
    }
  }

  /** Decides about the next entry of the group's log. @throws ClientError which stops a client */
  async read(entry: GroupEntry, box: Uint8Array | null): Promise<Outcome> {
    const outcome = await this.#process(entry, box);
    this.#read.push({ entry, box });
    return outcome;
  }

  /** Takes in sealing records of others. */
  async readRecords(
    records: readonly { readonly device: DeviceId; readonly wire: Uint8Array }[],
  ): Promise<void> {
    const page = records.map(({ device, wire }) => ({ device, record: wire }));
    await this.#open.records.pull(async (after) => ({
      records: page,
      next: after + page.length,
      more: false,
    }));
  }

  /** Makes an epoch for everybody that this phone knows of. */
  async nextEpoch(): Promise<CreatedEpoch> {
    const { directory, ring, replica, sealing, records } = this.#open;
    const group = everyoneGroup(this.#ports.primitives, directory.state.org);
    const self = { device: this.id, signer: this.signer, sealing };
    return await createNextEpoch({
      ports: this.#ports,
      self,
      group,
      directory,
      epochs: ring,
      replica,
      sealing,
      sealingRecords: records,
    });
  }

  /** Seals a message under the newest epoch. */
  async seal(text: string): Promise<Uint8Array> {
    const { directory, ring, replica, sealing } = this.#open;
    const { currentKeys } = ring;
    if (currentKeys === null) throw new Error(`${this.name} has no key to write with`);
    const outbox = await Outbox.open(await memoryDeviceStore().journal('outbox'));
    const self = { device: this.id, signer: this.signer, sealing };
    const ownHead = await OwnHead.open(this.#store.keys, directory.state.everyone);
    const context = { ports: this.#ports, self, outbox, ownHead, replica, directory };
    const [sealed] = sealDrafts(context, currentKeys, [{ channel: CHANNEL, payload: asciiBytes(text) }]);
    return (sealed as { envelope: Uint8Array }).envelope;
  }

  async #process(entry: GroupEntry, box: Uint8Array | null): Promise<Outcome> {
    this.#shown = { ...this.#shown, box };
    const outcomes: Outcome[] = [];
    for await (const outcome of this.#open.replica.process([entry])) outcomes.push(outcome);
    return outcomes[outcomes.length - 1] as Outcome;
  }

  async #pull(directory: DirectoryReplica): Promise<void> {
    const { wires } = this.#shown;
    await directory.pull({
      readLog: async (from) => ({ entries: wires.slice(from), size: wires.length }),
      // It lies, and so does not take what it is given back.
      appendLog: () =>
        Promise.reject(new ClientError('relay-refused', 'not taken', { relayCode: 'entry-refused' })),
      readCheckpoint: () => Promise.reject(new Error('the policy names no relay')),
      readTile: async () => null,
    });
  }

  get #open(): Parts {
    if (this.#parts === null) throw new Error(`${this.name} was never let in`);
    return this.#parts;
  }
}
