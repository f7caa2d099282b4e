import {
  createEpoch,
  deviceIdOf,
  openEpoch,
  openMessage,
  parseEnvelopeHeader,
  parseEpochStatement,
  sealMessage,
  Secret,
  type Decapsulator,
  type DeviceId,
  type EpochKeys,
  type EpochStatement,
  type GroupId,
  type OpenedMessage,
  type Signer,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { archiveOf, recipientsOf, replay, type DirectoryState } from '@keytide/key-directory';
import type { GroupEntry } from '@keytide/relay-protocol';
import { seedsIn } from './seeds.ts';
import type { Person } from './stage.ts';

/** Everything on a device, in a thief's hands: to forge what only its owner could. */
export interface Loot {
  readonly device: DeviceId;
  readonly signer: Signer;
  readonly decapsulator: Decapsulator;
  /** All secrets as they are stored, 32 bytes each. */
  readonly secrets: readonly Uint8Array[];
  readonly wires: readonly Uint8Array[];
  readonly directory: DirectoryState;
  readonly group: GroupId;
  /** The group's log as that device was given it. */
  readonly entries: readonly GroupEntry[];
  /** Its accepted statements, by place: epoch 1 first. */
  readonly statements: readonly EpochStatement[];
  epochKey(epoch: number): Promise<Secret>;
}

/** Takes a copy of what a device holds. */
export async function burgle(person: Person): Promise<Loot> {
  const { store, client } = person;
  const [signingSeed, sealingSeed] = await seedsIn(store);
  const signer = primitives.signer(signingSeed);
  const wires = await (await store.journal('membership')).read(0);
  const directory = replay(primitives, wires);
  const group = directory.everyone;
  const entries = (await (await store.journal('group')).read(0)).map((record): GroupEntry => {
    return { kind: record[0] === 1 ? 'statement' : 'envelope', bytes: record.slice(1) };
  });
  const keyNames = await store.keys.names('epoch/');
  const epochKeys = await Promise.all(
    keyNames.map(async (name) => ((await store.keys.get(name)) as Uint8Array).slice(0, 32)),
  );
  return {
    device: deviceIdOf(primitives, signer.publicKey),
    signer,
    decapsulator: primitives.decapsulator(sealingSeed),
    secrets: [signingSeed, sealingSeed, ...epochKeys],
    wires,
    directory,
    group,
    entries,
    statements: entries
      .filter(({ kind }) => kind === 'statement')
      .map(({ bytes }) => parseEpochStatement(primitives, bytes)),
    async epochKey(epoch) {
      const key = await store.keys.get(`epoch/${group}/${epoch}`);
      if (key === null) throw new Error(`${client.device} has no key of epoch ${epoch}`);
      return Secret.own(key.slice(0, 32));
    },
  };
}

/** An epoch's keys for whoever has stolen its key; `ghosts` are let in beside the true devices. */
export async function stolenEpoch(
  loot: Loot,
  epoch: number,
  ghosts: readonly { device: DeviceId; signer: Signer }[] = [],
): Promise<EpochKeys> {
  const statement = loot.statements[epoch - 1] as EpochStatement;
  const state = replay(primitives, loot.wires.slice(0, statement.checkpoint.size));
  const devices = [
    ...recipientsOf(state, loot.group).map(({ device, signingPublicKey }) => ({
      device,
      key: signingPublicKey,
    })),
    ...ghosts.map(({ device, signer }) => ({ device, key: signer.publicKey })),
  ].map(({ device, key }) => ({ device, verifier: primitives.verifier(key) }));
  return openEpoch({ primitives, statement, key: await loot.epochKey(epoch), devices });
}

/** The newest message of a device in the log of whoever was burgled. */
export function lastMessageOf(loot: Loot, keys: EpochKeys, device: DeviceId): OpenedMessage {
  const found = loot.entries
    .filter(({ kind, bytes }) => kind === 'envelope' && parseEnvelopeHeader(bytes).epoch === keys.epoch)
    .map(({ bytes }) => openMessage(keys, bytes))
    .findLast(({ sender }) => sender === device);
  if (found === undefined) throw new Error('that device has not written in this epoch');
  return found;
}

/** A message by the holder of `author`'s key, well made but for what `changes` says. */
export function forgeMessage(
  keys: EpochKeys,
  author: { device: DeviceId; signer: Signer },
  like: OpenedMessage,
  changes: Partial<Pick<OpenedMessage, 'counter' | 'previousLink' | 'heads' | 'payload'>> = {},
): GroupEntry {
  const { channel, heads, payload, counter, link } = like;
  const { envelope } = sealMessage(keys, {
    signer: author.signer,
    sender: author.device,
    random,
    channel,
    heads,
    payload,
    counter: counter + 1,
    previousLink: link,
    ...changes,
  });
  return { kind: 'envelope', bytes: envelope };
}

/** An epoch by the holder of a member's key, well made but for what `changes` says. */
export async function forgeEpoch(
  loot: Loot,
  changes: Partial<Parameters<typeof createEpoch>[0]> = {},
): Promise<{ entry: GroupEntry; key: Secret; hash: Uint8Array }> {
  const previous = loot.statements.at(-1) as EpochStatement;
  const { statement, key, hash } = await createEpoch({
    primitives,
    random,
    signer: loot.signer,
    author: loot.device,
    org: loot.directory.org,
    group: loot.group,
    previous: { epoch: previous.epoch, hash: previous.hash },
    blockStartMs: previous.blockStartMs,
    blockEndMs: previous.blockEndMs,
    createdMs: previous.createdMs + 1,
    checkpoint: { size: loot.directory.size, root: loot.directory.root },
    reason: 'on-demand',
    closing: { group: previous.closing.group, senders: [] },
    recipients: encapsulatorsOf(loot.directory),
    ...changes,
  });
  return { entry: { kind: 'statement', bytes: statement }, key, hash };
}

/** The right recipients of a new epoch. */
export function encapsulatorsOf(
  directory: DirectoryState,
): { device: DeviceId; encapsulator: ReturnType<typeof primitives.encapsulator> }[] {
  const archive = archiveOf(primitives, directory);
  const recipients = [...recipientsOf(directory, directory.everyone), ...(archive === null ? [] : [archive])];
  return recipients.map(({ device, sealingPublicKey }) => ({
    device,
    encapsulator: primitives.encapsulator(sealingPublicKey),
  }));
}
