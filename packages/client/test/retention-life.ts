import {
  concatBytes,
  createEpoch,
  memoryKeyStore,
  parseEnvelopeHeader,
  parseEpochStatement,
  uint32Bytes,
  type EpochStatement,
  type KeyStore,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { createRoleChange, recipientsOf, type Role } from '@keytide/key-directory';
import { seededWorld } from '@keytide/testkit';
import { DirectoryReplica } from '../src/directory-replica.ts';
import { EpochKeyStore } from '../src/epoch-key-store.ts';
import { EpochRing } from '../src/epoch-ring.ts';
import { memoryJournal } from '../src/journal.ts';
import type { Outgoing } from '../src/outbox.ts';
import { OwnHead } from '../src/own-head.ts';
import { Retention } from '../src/retention.ts';
import { TrustedTime } from '../src/trusted-time.ts';
import { Unsealed } from '../src/unsealed.ts';

export const BLOCK_MS = 86_400_000;
const policy = { blockSeconds: 86_400, retentionSeconds: 3 * 86_400, exportSeconds: 8 * 86_400 };

/** A process of bo's app. */
interface Process {
  readonly directory: DirectoryReplica;
  readonly time: TrustedTime;
  readonly ring: EpochRing;
  readonly retention: Retention;
  /** Up to which epoch the collections have been told to forget. */
  forgottenThrough: number;
}

/**
 * The keys of one device, bo's, over days: the client's own parts, a clock that a test moves, a store that fails as the
 * test says, and ada, an admin, who makes epochs and changes bo's role at the true time.
 */
export async function retentionLife(seed: string) {
  const world = seededWorld({ seed, members: 2, policy });
  const [ada, bo] = world.members.map(({ devices }) => devices[0]) as [
    (typeof world.members)[0]['devices'][0],
    (typeof world.members)[0]['devices'][0],
  ];
  const member = world.state.devices.get(bo.id)?.member as (typeof world.members)[0]['id'];
  const group = world.state.everyone;
  const store = memoryKeyStore();
  const journal = memoryJournal();
  const statements: EpochStatement[] = [];
  const boxes: (Uint8Array | null)[] = [];
  let waiting: Outgoing[] = [];
  let unsent = 0;
  let trueMs = world.state.timeMs;
  let aheadMs = 0;
  let crash: 'before' | 'after' | 'fails' | null = null;
  let process: Process | null = null;
  const now = (): number => trueMs + aheadMs;

  function storeOf(isDead: () => boolean, die: () => void): KeyStore {
    return {
      ...store,
      async write(batch) {
        if (isDead()) throw new Error('dead');
        const how = crash;
        crash = null;
        if (how === 'fails') throw new Error('no space left');
        if (how === 'before') die();
        if (how !== 'before') await store.write(batch);
        if (how === 'after') die();
        if (how !== null) throw new Error('killed');
      },
    };
  }

  async function start(): Promise<Process> {
    let isDead = false;
    const keyStore = storeOf(
      () => isDead,
      () => {
        isDead = true;
        process = null;
      },
    );
    const directory = await DirectoryReplica.open({
      primitives,
      journal,
      keyStore: memoryKeyStore(),
      org: world.org,
    });
    await directory.append(world.wires.slice(directory.size));
    const time = await TrustedTime.open({ keyStore, clock: { now } });
    const epochKeys = await EpochKeyStore.open(keyStore, group);
    const ring: EpochRing = new EpochRing({
      primitives,
      group,
      directory,
      self: {
        device: bo.id,
        signer: bo.signer,
        sealing: { keysFor: () => [bo.decapsulator], hasDeleted: () => false, wasSilent: () => false },
      },
      keys: epochKeys,
      source: {
        canAsk: () => true,
        box: async (epoch) => boxes[epoch - 1] ?? null,
        pullDirectory: () => directory.append(world.wires.slice(directory.size)),
      },
      windowStartMs: () => retention.startMs,
    });
    const made = { directory, time, ring, forgottenThrough: 0 };
    const retention: Retention = new Retention({
      ports: { primitives, clock: { now, wait: async () => {} } },
      device: bo.id,
      member,
      time,
      directory,
      epochs: ring,
      epochKeys,
      ownHead: await OwnHead.open(keyStore, group),
      unsealed: await Unsealed.open(keyStore, group),
      replica: { headOf: () => null },
      outbox: {
        last: null,
        forget(test) {
          const before = waiting.length;
          waiting = waiting.filter((outgoing) => !test(outgoing));
          return before - waiting.length;
        },
      },
      forget: (through) => void (made.forgottenThrough = through),
      forgetShort: () => {},
      shortDueMs: () => Infinity,
      onUnsent: (count) => void (unsent += count),
      onBack: () => {},
      onFailure: () => {},
    });
    const running = Object.assign(made, { retention });
    process = running;
    retention.sawLog();
    for (const { epoch } of statements) await adopt(running, epoch);
    await retention.tick();
    return running;
  }

  async function adopt(running: Process, epoch: number): Promise<void> {
    const statement = statements[epoch - 1] as EpochStatement;
    await running.ring.adopt(statement);
    running.retention.sawEpoch(epoch);
  }

  /** Does something with the process, if there is one, and lets it tick; what kills it is no failure of the test. */
  async function settle(act: (running: Process) => Promise<void> = async () => {}): Promise<void> {
    try {
      const running = process ?? (await start());
      await act(running);
      await running.retention.tick();
      if (await running.ring.fetchBoxes()) await running.retention.tick();
    } catch (error) {
      if (!['killed', 'dead', 'no space left'].includes((error as Error).message)) throw error;
      // A store that fails is no end of the process, but what was under way is begun anew.
      process = null;
    }
  }

  return {
    statements,
    settle,
    trueNow: () => trueMs,
    get process() {
      return process;
    },
    async stored(): Promise<number[]> {
      return (await store.names(`epoch/${group}/`)).map((name) => Number(name.split('/')[2]));
    },
    /** Bo has written something in an epoch that has not reached the relay. */
    write(epoch: number) {
      const envelope = concatBytes(
        new Uint8Array([1, 1]),
        new Uint8Array(32),
        uint32Bytes(epoch),
        new Uint8Array(200),
      );
      const bytes = new Uint8Array(32);
      waiting.push({ messageId: bytes, envelope, counter: waiting.length, link: bytes, replaces: null });
    },
    /** The epochs of what waits for the relay. */
    get waiting() {
      return waiting.map(({ envelope }) => parseEnvelopeHeader(envelope).epoch);
    },
    /** How many messages bo was told are gone unsent. */
    get unsent() {
      return unsent;
    },
    pass(ms: number) {
      trueMs += ms;
    },
    clockAhead(ms: number) {
      aheadMs = ms;
    },
    crashAtNextWrite(how: typeof crash) {
      crash = how;
    },
    kill() {
      process = null;
    },
    async announce(): Promise<void> {
      const previous = statements[statements.length - 1] ?? null;
      const blockStartMs = Math.floor(trueMs / BLOCK_MS) * BLOCK_MS;
      const { state } = world;
      const made = await createEpoch({
        primitives,
        random: world.random,
        signer: ada.signer,
        author: ada.id,
        org: world.org,
        group,
        previous,
        createdMs: trueMs,
        blockStartMs,
        blockEndMs: blockStartMs + BLOCK_MS,
        checkpoint: { size: state.size, root: state.root },
        reason: previous === null ? 'first' : 'on-demand',
        closing: { group: { size: 0, root: primitives.sha256(new Uint8Array(0)) }, senders: [] },
        recipients: recipientsOf(state, group).map(({ device, sealingPublicKey }) => ({
          device,
          encapsulator: primitives.encapsulator(sealingPublicKey),
        })),
      });
      statements.push(parseEpochStatement(primitives, made.statement));
      boxes.push(made.boxes.find(({ device }) => device === bo.id)?.box ?? null);
      const { epoch } = statements[statements.length - 1] as EpochStatement;
      await settle(async (running) => {
        await running.ring.adopt(statements[epoch - 1] as EpochStatement).catch((error: unknown) => {
          throw error;
        });
        running.retention.sawEpoch(epoch);
      });
    },
    async role(role: Role): Promise<void> {
      const { role: before } = world.state.members.get(member) ?? {};
      if (before === role) return;
      world.clock.advance(Math.max(0, trueMs - world.clock.now()));
      world.append(createRoleChange({ ...world.as(ada), member, role }));
      await settle(async ({ directory, retention }) => {
        await directory.append(world.wires.slice(directory.size));
        retention.sawLog();
      });
    },
    roleNow: (): Role => world.state.members.get(member)?.role ?? 'member',
  };
}
export type RetentionLife = Awaited<ReturnType<typeof retentionLife>>;
