import {
  createEpoch,
  type CreateEpochInput,
  deviceIdOf,
  memoryKeyStore,
  openEpoch,
  parseEpochStatement,
  sealMessage,
  Secret,
  type DeviceId,
  type EpochKeys,
  type KeyStore,
  type Primitives,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { createGenesis, createInvite, recipientsOf, replay } from '@keytide/key-directory';
import type { GroupEntry } from '@keytide/relay-protocol';
import { DirectoryReplica } from '../src/directory-replica.ts';
import type { LogRecord } from '../src/entry.ts';
import { EpochKeyStore } from '../src/epoch-key-store.ts';
import { EpochRing, type EpochSource } from '../src/epoch-ring.ts';
import { GroupReplica, type Outcome } from '../src/group-replica.ts';
import { memoryJournal } from '../src/journal.ts';

/** What a ring finds around it. */
interface RingSurroundings {
  readonly keyStore: KeyStore;
  canAsk(): boolean;
  /** Whether the relay gives the box. */
  hasBox(): boolean;
  /** What the relay makes of the box. */
  alterBox(box: Uint8Array): Uint8Array;
  windowStartMs(): number;
}

const DAY_MS = 86_400_000;
const NOW_MS = 20_254 * DAY_MS;

/** An organisation of one device, its first epoch, and as many replicas of its group as a test wants. */
export async function groupWorld() {
  const signer = primitives.signer(random(32));
  const decapsulator = primitives.decapsulator(random(32));
  const device: DeviceId = deviceIdOf(primitives, signer.publicKey);
  const own = {
    signer,
    abilities: 0,
    sealingPublicKey: decapsulator.publicKey,
    notBeforeMs: NOW_MS,
    notAfterMs: NOW_MS + 30 * DAY_MS,
  };
  const policy = { blockSeconds: 86_400, retentionSeconds: 7 * 86_400, exportSeconds: 14 * 86_400 };
  const genesis = createGenesis({ primitives, random, device: own, handle: 'ada', policy, nowMs: NOW_MS });
  const state = replay(primitives, [genesis]);
  const group = state.everyone;
  const first: CreateEpochInput = {
    primitives,
    random,
    signer,
    author: device,
    org: state.org,
    group,
    previous: null,
    createdMs: NOW_MS,
    blockStartMs: NOW_MS,
    blockEndMs: NOW_MS + DAY_MS,
    checkpoint: { size: state.size, root: state.root },
    reason: 'first',
    closing: { group: { size: 0, root: primitives.sha256(new Uint8Array(0)) }, senders: [] },
    recipients: recipientsOf(state, group).map((recipient) => ({
      device: recipient.device,
      encapsulator: primitives.encapsulator(recipient.sealingPublicKey),
    })),
  };
  const created = await createEpoch(first);
  /** Another first epoch, as good as the other. */
  const rival = (await createEpoch({ ...first, createdMs: NOW_MS + 1 })).statement;
  const statement: GroupEntry = { kind: 'statement', bytes: created.statement };
  const keys: EpochKeys = openEpoch({
    primitives,
    statement: parseEpochStatement(primitives, created.statement),
    key: Secret.own(created.key.use((bytes) => bytes.slice())),
    devices: [{ device, verifier: primitives.verifier(signer.publicKey) }],
  });
  const { wire: secondEntry } = createInvite({
    primitives,
    random,
    state,
    signer,
    role: 'member',
    nowMs: NOW_MS,
    expiresMs: NOW_MS + DAY_MS,
  });

  /** A device's ring without an epoch yet, and the log that it looks at. */
  async function makeRing(
    counted: Primitives = primitives,
    pull: (directory: DirectoryReplica) => Promise<void> = async () => {},
    {
      keyStore = memoryKeyStore(),
      canAsk,
      hasBox,
      alterBox = (box) => box,
      windowStartMs,
    }: Partial<RingSurroundings> = {},
  ): Promise<{ epochs: EpochRing; directory: DirectoryReplica }> {
    const directory = await DirectoryReplica.open({
      primitives,
      journal: memoryJournal(),
      keyStore,
      org: state.org,
    });
    await directory.append([genesis]);
    const source: EpochSource = {
      canAsk: canAsk ?? (() => true),
      box: async () => {
        const box = created.boxes[0]?.box;
        return box === undefined || hasBox?.() === false ? null : alterBox(box.slice());
      },
      pullDirectory: () => pull(directory),
    };
    const sealing = { keysFor: () => [decapsulator], hasDeleted: () => false, wasSilent: () => false };
    const self = { device, signer, sealing };
    const epochKeys = await EpochKeyStore.open(keyStore, group);
    const options = { primitives: counted, group, directory, self, keys: epochKeys, source };
    return {
      epochs: new EpochRing({ ...options, windowStartMs: windowStartMs ?? (() => 0) }),
      directory,
    };
  }

  async function makeReplica(pull?: (directory: DirectoryReplica) => Promise<void>): Promise<GroupReplica> {
    const { epochs } = await makeRing(primitives, pull);
    return new GroupReplica(primitives, group, epochs);
  }

  /** The epoch's key, a copy. */
  const epochKey = (): Secret => Secret.own(created.key.use((bytes) => bytes.slice()));

  const log = { device, signer, genesis, secondEntry, state };
  return { ...log, statement, rival, keys, epochKey, makeRing, makeReplica };
}
export type GroupWorld = Awaited<ReturnType<typeof groupWorld>>;

/** How a message differs from the sender's next true one. */
export interface Oddity {
  readonly isSigned?: boolean;
  readonly directorySize?: number;
  readonly payload?: Uint8Array;
}

/** Seals this device's messages, each naming the one before. */
export function makeWriter({ device, signer, state, genesis, secondEntry, keys }: GroupWorld) {
  let last: { counter: number; link: Uint8Array } | null = null;
  const roots = [genesis, secondEntry].map((_, i, all) => replay(primitives, all.slice(0, i + 1)).root);
  return ({ isSigned = true, directorySize = 1, payload = random(5) }: Oddity = {}): GroupEntry => {
    const counter: number = last === null ? 0 : last.counter + 1;
    const { envelope, link } = sealMessage(keys, {
      signer: isSigned ? signer : { ...signer, sign: () => random(64) },
      sender: device,
      channel: new Uint8Array(16),
      counter,
      previousLink: last?.link ?? new Uint8Array(32),
      heads: {
        directory: { size: directorySize, root: roots[directorySize - 1] ?? state.root },
        group: { size: 0, root: primitives.sha256(new Uint8Array(0)) },
      },
      payload,
      random,
    });
    last = { counter, link };
    return { kind: 'envelope', bytes: envelope };
  };
}

/** Lets a replica decide entries in portions, and returns the outcomes in the order they came. */
export async function processIn(
  replica: GroupReplica,
  entries: readonly LogRecord[],
  size: number,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let start = 0; start < entries.length; start += size)
    for await (const outcome of replica.process(entries.slice(start, start + size))) outcomes.push(outcome);
  return outcomes;
}

/** What each entry turned out to be in the end, by seq from 1. */
export function lastBySeq(outcomes: readonly Outcome[]): string[] {
  const last: string[] = [];
  for (const outcome of outcomes) {
    last[outcome.seq - 1] =
      outcome.kind === 'message'
        ? `message ${outcome.message.counter} missing ${JSON.stringify(outcome.missing)}`
        : outcome.kind === 'epoch'
          ? `epoch ${outcome.epoch}`
          : outcome.kind === 'forgotten'
            ? 'forgotten'
            : outcome.code;
  }
  return last;
}
