import {
  decodeCbor,
  equalBytes,
  memoryKeyStore,
  openEpochBox,
  parseEpochStatement,
  parseSealingRecord,
  Secret,
  type Decapsulator,
  type EpochStatement,
  type KeyStore,
  type SealingChoice,
  type SealingRecord,
  type SealingTimes,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { DirectoryReplica } from '../../src/directory-replica.ts';
import { EpochKeyStore } from '../../src/epoch-key-store.ts';
import { EpochRing, type Self } from '../../src/epoch-ring.ts';
import { ClientError } from '../../src/errors.ts';
import { GroupReplica } from '../../src/group-replica.ts';
import { loadIdentity, saveIdentity } from '../../src/identity.ts';
import { memoryJournal } from '../../src/journal.ts';
import { createNextEpoch } from '../../src/next-epoch.ts';
import { OwnSealingKeys } from '../../src/own-sealing-keys.ts';
import { SealingRecords } from '../../src/sealing-records.ts';
import { SealingRotation } from '../../src/sealing-rotation.ts';
import { SealingRelay } from './sealing-relay.ts';
import { TrustedTime } from '../../src/trusted-time.ts';
import { virtualTime } from './virtual-time.ts';

export interface LifeOptions {
  readonly seed: string;
  readonly blockSeconds: number;
  readonly retentionBlocks: number;
  readonly graceBlocks: number;
}

/** An epoch that was made, and what was true then. */
interface MadeEpoch {
  readonly statement: EpochStatement;
  readonly wire: Uint8Array;
  readonly by: 'ada' | 'bo';
  readonly box: Uint8Array | null;
  /** What its author chose for bo, when that was ada; and what one chooses who knows everything. */
  readonly choice: SealingChoice | null;
  readonly honest: SealingChoice;
  /** What bo has made of it, the newest last. */
  readonly seen: string[];
}

/** A secret that bo has stored at any time. */
interface KnownSecret {
  readonly record: SealingRecord;
  readonly seed: Uint8Array;
  readonly madeMs: number;
}

type Power = 'on' | 'asleep' | 'off';

/** A process of bo's app, from its start until it is killed. */
interface Process {
  readonly stopping: AbortController;
  readonly sealing: OwnSealingKeys;
  readonly rotation: SealingRotation;
  readonly replica: GroupReplica;
  readonly ring: EpochRing;
  readonly records: SealingRecords;
  readonly directory: DirectoryReplica;
  readonly self: Self;
  readonly trusted: TrustedTime;
  readonly failures: unknown[];
  online: boolean;
}

export const PING_MS = 20_000;

/**
 * The sealing keys of one device, bo's, from hour to hour: the client's own parts, a clock that a test moves, a relay
 * that does what a test says, and another device, ada's, that makes epochs. Whatever happens is noted.
 */
export async function sealingLife(options: LifeOptions) {
  const { blockSeconds, graceBlocks, retentionBlocks } = options;
  const blockMs = blockSeconds * 1000;
  const times: SealingTimes = {
    blockMs,
    graceMs: graceBlocks * blockMs,
    retentionMs: retentionBlocks * blockMs,
  };
  const world = seededWorld({
    seed: options.seed,
    members: 3,
    policy: {
      blockSeconds,
      retentionSeconds: retentionBlocks * blockSeconds,
      exportSeconds: 100 * blockSeconds,
      ...(graceBlocks === 1 ? {} : { silenceSeconds: graceBlocks * blockSeconds }),
    },
  });
  const { random, state, org } = world;
  const group = state.everyone;
  const [ada, bo, cy] = world.members.map(({ devices }) => devices[0]) as [
    SeededDevice,
    SeededDevice,
    SeededDevice,
  ];
  const boDevice = state.devices.get(bo.id) as NonNullable<ReturnType<typeof state.devices.get>>;
  const time = virtualTime(bo.own.notAfterMs - blockMs);
  const relay = new SealingRelay({ device: boDevice, liar: cy, times, now: time.now });

  let aheadMs = 0;
  let power: Power = 'off';
  let network = true;
  let boxes: 'given' | 'withheld' | 'altered' = 'given';
  let crash: 'before' | 'after' | 'fails' | null = null;
  let process: Process | null = null;
  let wake: () => void = () => {};
  const epochs: MadeEpoch[] = [];
  const secrets: KnownSecret[] = [];
  const sent: { record: SealingRecord; atMs: number; wasDurable: boolean; wasFair: boolean; fate: string }[] =
    [];
  const counts = { starts: 0, timers: 0, catchUps: 0, announcements: 0 };
  const bornMs = time.now();
  const stepMs = Math.min(600_000, Math.max(250, blockMs / 16));
  /** By bo's clock, when bo's app decided what an epoch is. */
  const lookedAtMs = new Map<number, number>();
  let lastTickMs: number | null = null;
  /** Whether the clock has always been right. */
  let isFair = true;
  const now = (): number => time.now() + aheadMs;

  const store = memoryKeyStore();
  const recordsJournal = memoryJournal();
  const adasRecords = memoryJournal();
  await saveIdentity(
    store,
    {
      org,
      relayUrl: 'https://relay.example.org',
      member: boDevice.member,
      signingSeed: Secret.own(bo.signingSeed.slice()),
      sealingSeed: Secret.own(bo.sealingSeed.slice()),
    },
    { kind: 'join', link: 'l', handle: null },
    { size: 1, root: state.root },
  );
  secrets.push({ record: relay.records[0] as SealingRecord, seed: bo.sealingSeed, madeMs: 0 });

  /** The store as one process has it: nothing more reaches it once the process is dead. */
  function storeOf(isDead: () => boolean, die: () => void): KeyStore {
    return {
      ...store,
      async write(batch) {
        if (isDead()) throw new Error('dead');
        for (const { name, value } of batch) {
          const parts = value !== null && name.startsWith('sealing/') ? decodeCbor(value, 4096) : null;
          if (Array.isArray(parts) && parts[2] instanceof Uint8Array)
            noteSecret(parseSealingRecord(parts[1] as Uint8Array), parts[2]);
        }
        const how = crash;
        crash = null;
        if (how === 'before') die();
        if (how === 'fails') throw new Error('no space left');
        if (how === 'before') throw new Error('killed');
        await store.write(batch);
        if (how === 'after') {
          die();
          throw new Error('killed');
        }
      },
    };
  }

  function noteSecret(record: SealingRecord, seed: Uint8Array): void {
    if (!secrets.some((known) => equalBytes(known.seed, seed)))
      secrets.push({ record, seed: seed.slice(), madeMs: time.now() });
  }

  async function everythingStored(): Promise<Uint8Array[]> {
    const values = await Promise.all((await store.names('')).map((name) => store.get(name)));
    return values.filter((value): value is Uint8Array => value !== null);
  }

  async function start(): Promise<void> {
    counts.starts += 1;
    const stopping = new AbortController();
    const keyStore = storeOf(
      () => stopping.signal.aborted,
      () => kill(),
    );
    const directory = await DirectoryReplica.open({
      primitives,
      journal: memoryJournal(),
      keyStore: memoryKeyStore(),
      org,
    });
    await directory.append(world.wires);
    const { identity } = (await loadIdentity(store)) as NonNullable<Awaited<ReturnType<typeof loadIdentity>>>;
    const sealing = await OwnSealingKeys.open({
      primitives,
      random,
      keyStore,
      directory,
      device: bo.id,
      signer: bo.signer,
      firstSeed: identity.sealingSeed,
    });
    const self = { device: bo.id, signer: bo.signer, sealing };
    const source = {
      canAsk: () => true,
      box: async (epoch: number) => {
        if (!made.online && !made.isCatchingUp) throw new ClientError('offline', 'no network');
        const box = boxes === 'withheld' ? null : (epochs[epoch - 1]?.box ?? null);
        return boxes === 'altered' ? (box?.map((byte, i) => (i === 400 ? byte ^ 1 : byte)) ?? null) : box;
      },
      pullDirectory: async () => {},
    };
    const keys = await EpochKeyStore.open(keyStore, group);
    const windowStartMs = () => 0;
    const ring = new EpochRing({ primitives, group, directory, self, keys, source, windowStartMs });
    const records = await SealingRecords.open({ primitives, journal: recordsJournal, directory });
    let heard = { atMs: time.now(), saysMs: now() };
    const trusted = await TrustedTime.open({ keyStore, clock: { now } });
    const failures: unknown[] = [];
    const connection = {
      get state() {
        return { kind: made.online ? 'online' : 'offline' } as const;
      },
      signal: stopping.signal,
      /** Something came at the last ping, and was dated by the clock of then. */
      get socket() {
        if (!made.online) return null;
        if (time.now() - heard.atMs >= PING_MS) heard = { atMs: time.now(), saysMs: now() };
        return { heardMs: heard.saysMs };
      },
      giveUp: (_: unknown, error: unknown) => void failures.push(error),
    };
    const clock = {
      now,
      async wait(ms: number, signal?: AbortSignal) {
        counts.timers += 1;
        await time.wait(ms, signal);
        while (power === 'asleep' && signal?.aborted !== true)
          await new Promise<void>((resolve) => (wake = resolve));
      },
    };
    const api = {
      async publishSealingRecord(wire: Uint8Array) {
        const record = parseSealingRecord(wire);
        const madeMs = secrets.find((known) => known.record.notBeforeMs === record.notBeforeMs)?.madeMs;
        const wasDurable = await isStored(record.publicKey);
        const note = {
          record,
          atMs: time.now(),
          wasDurable,
          wasFair: isFair && madeMs === time.now(),
          fate: 'taken',
        };
        sent.push(note);
        try {
          await relay.post(wire);
        } catch (error) {
          note.fate = (error as ClientError).relayCode ?? 'offline';
          throw error;
        }
      },
    };
    const rotation = new SealingRotation({
      ports: { clock, random },
      api,
      connection,
      directory,
      epochs: ring,
      sealing,
      time: trusted,
      idle: async () => {},
    });
    const made = {
      stopping,
      sealing,
      rotation,
      ring,
      records,
      directory,
      self,
      trusted,
      failures,
      replica: new GroupReplica(primitives, group, ring),
      online: false,
      isCatchingUp: false,
      heardNow: () => (heard = { atMs: time.now(), saysMs: now() }),
    };
    process = made;
    void rotation.run();
    await catchUp();
  }

  async function isStored(publicKey: Uint8Array): Promise<boolean> {
    for (const name of await store.names('sealing/')) {
      const parts = decodeCbor((await store.get(name)) as Uint8Array, 4096);
      const seed = Array.isArray(parts) ? parts[2] : null;
      if (seed instanceof Uint8Array && equalBytes(primitives.decapsulator(seed).publicKey, publicKey))
        return true;
    }
    return false;
  }

  /** Takes what the relay has, then is online; as a new socket brings it. */
  async function catchUp(): Promise<void> {
    const running = process as (Process & { isCatchingUp: boolean; heardNow(): void }) | null;
    if (running === null || power !== 'on' || !network || running.online) return;
    counts.catchUps += 1;
    running.isCatchingUp = true;
    try {
      // The relay's welcome says what time it is.
      await running.trusted.heal(time.now());
      await deliver(running);
    } catch {
      return kill();
    }
    running.heardNow();
    running.online = true;
    running.isCatchingUp = false;
    void running.rotation.tick();
    await time.pass(0);
  }

  async function deliver(running: Process): Promise<void> {
    for (const { statement, wire, seen } of epochs.slice(running.replica.size)) {
      for await (const outcome of running.replica.process([{ kind: 'statement', bytes: wire }]))
        if (outcome.kind !== 'epoch') seen.push(outcome.kind);
      const keys = running.ring.keysOf(statement.epoch);
      seen.push(typeof keys === 'string' ? keys : 'opened');
      lookedAtMs.set(statement.epoch, now());
    }
  }

  function kill(): void {
    process?.stopping.abort();
    if (process !== null) process.online = false;
    process = null;
    power = 'off';
    wake();
  }

  // The other device: always there, its clock right.
  const adasStore = memoryKeyStore();
  const adasDirectory = await DirectoryReplica.open({
    primitives,
    journal: memoryJournal(),
    keyStore: adasStore,
    org,
  });
  await adasDirectory.append(world.wires);
  const adasSelf: Self = {
    device: ada.id,
    signer: ada.signer,
    sealing: await OwnSealingKeys.open({
      primitives,
      random,
      keyStore: adasStore,
      directory: adasDirectory,
      device: ada.id,
      signer: ada.signer,
      firstSeed: Secret.own(ada.sealingSeed.slice()),
    }),
  };
  const adasRing = new EpochRing({
    primitives,
    group,
    directory: adasDirectory,
    self: adasSelf,
    keys: await EpochKeyStore.open(adasStore, group),
    source: { canAsk: () => true, box: async () => null, pullDirectory: async () => {} },
    windowStartMs: () => 0,
  });
  const adasReplica = new GroupReplica(primitives, group, adasRing);
  let adasView = await SealingRecords.open({ primitives, journal: adasRecords, directory: adasDirectory });

  /** Makes an epoch, as `EpochRotation` does. False when its author cannot now. */
  async function announce(by: 'ada' | 'bo'): Promise<boolean> {
    const running = process as Process | null;
    if (by === 'bo' && running?.online !== true) return false;
    const records = by === 'ada' ? adasView : (running as Process).records;
    const context =
      by === 'ada'
        ? { self: adasSelf, directory: adasDirectory, epochs: adasRing, replica: adasReplica }
        : {
            self: (running as Process).self,
            directory: (running as Process).directory,
            epochs: (running as Process).ring,
            replica: (running as Process).replica,
          };
    const clock = by === 'ada' ? { now: time.now } : { now };
    counts.announcements += 1;
    for (let attempt = 0; ; attempt += 1) {
      await records.pull(async (after) => relay.list(after));
      if (by === 'bo' && !(await isReady(running as Process))) return false;
      const created = await createNextEpoch({
        ...context,
        ports: { primitives, random, clock } as never,
        group,
        sealing: context.self.sealing as OwnSealingKeys,
        sealingRecords: records,
      });
      created.key.dispose();
      const statement = parseEpochStatement(primitives, created.statement);
      const box = created.boxes.find(({ device }) => device === bo.id)?.box ?? null;
      const honest = relay.choiceAt(statement.createdMs);
      if (box === null && honest.kind !== 'silent' && relay.shown === 'all' && attempt === 0) {
        records.startOver();
        continue;
      }
      const choice = by === 'ada' ? records.choiceAt(boDevice, statement.createdMs) : null;
      epochs.push({ statement, wire: created.statement, by, box, choice, honest, seen: [] });
      for await (const _ of adasReplica.process([{ kind: 'statement', bytes: created.statement }]));
      if (running !== null && running.online) {
        try {
          await deliver(running);
        } catch {
          kill();
        }
      }
      return true;
    }
  }

  /** As before each epoch: a device without a secret for its newest key makes one. */
  async function isReady(running: Process): Promise<boolean> {
    try {
      await running.rotation.ready();
    } catch {
      return false;
    }
    return running.online;
  }

  return {
    relay,
    times,
    epochs,
    secrets,
    sent,
    counts,
    now,
    trueNow: time.now,
    bornMs,
    lookedAtMs,
    /** When bo's app last had the time to delete, by its clock as it is; `null` when it has not since. */
    get lastTickMs() {
      return lastTickMs;
    },
    announce,
    everythingStored,
    get process() {
      return process;
    },
    get aheadMs() {
      return aheadMs;
    },
    async power(next: Power) {
      if (next === power) return;
      if (next === 'off') kill();
      else if (power === 'off') {
        power = next;
        await start();
      } else {
        power = next;
        if (next === 'asleep' && process !== null) process.online = false;
        else wake();
        await time.pass(0);
        await catchUp();
      }
    },
    async network(is: boolean) {
      network = is;
      if (!is && process !== null) process.online = false;
      await catchUp();
    },
    async clockAhead(ms: number) {
      const isSetBack = ms < aheadMs;
      aheadMs = ms;
      isFair &&= ms === 0;
      lastTickMs = null;
      // As a socket does that finds it out.
      if (isSetBack && process !== null) process.online = false;
      await catchUp();
    },
    boxesAre(next: typeof boxes) {
      boxes = next;
    },
    crashAtNextWrite(how: typeof crash) {
      crash = how;
    },
    /** Ada's app starts again. */
    async adaRestarts() {
      adasView = await SealingRecords.open({ primitives, journal: adasRecords, directory: adasDirectory });
    },
    async pass(ms: number) {
      await time.pass(ms);
      // Two more, for one that failed.
      if (power === 'on' && ms >= 3 * stepMs) lastTickMs = now() - 3 * stepMs;
    },
    /** Which of the epochs a thief opens who has the store. */
    async openedByThief(): Promise<number[]> {
      const stored = await everythingStored();
      const keys = secrets
        .filter(({ seed }) => stored.some((value) => holds(value, seed)))
        .map(({ seed }) => primitives.decapsulator(seed));
      return epochs.flatMap(({ statement, box }) =>
        box !== null && opens(keys, statement, bo, box) ? [statement.epoch] : [],
      );
    },
  };
}
export type SealingLife = Awaited<ReturnType<typeof sealingLife>>;

function opens(
  keys: readonly Decapsulator[],
  statement: EpochStatement,
  { id }: SeededDevice,
  box: Uint8Array,
): boolean {
  try {
    openEpochBox(primitives, keys, statement, id, box).dispose();
    return true;
  } catch {
    return false;
  }
}

/** Whether the bytes stand anywhere in a stored value. */
export function holds(value: Uint8Array, part: Uint8Array): boolean {
  return Buffer.from(value).includes(Buffer.from(part));
}
