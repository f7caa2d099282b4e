import { createCipheriv, createHash } from 'node:crypto';
import type { EpochKey, ExportSource, NamedAttachment, SourceEntry } from '@keytide/archive';
import {
  appendLeaf,
  concatBytes,
  createEpoch,
  EMPTY_FRONTIER,
  encodeAttachmentDescriptor,
  encodeCbor,
  leafHash,
  openEpoch,
  parseEpochStatement,
  rootOf,
  sealAttachment,
  sealMessage,
  Secret,
  toBase64Url,
  toHex,
  type EpochKeys,
  type EpochStatement,
  type MerkleFrontier,
} from '@keytide/crypto-core';
import { recipientsOf } from '@keytide/key-directory';
import { seededWorld, type SeededWorld } from './seeded-world.ts';

/** How long a log is, and what is in it. */
export interface LongLogOptions {
  readonly seed: string;
  readonly messages: number;
  /** Of each message's text; 1,000 when left out. */
  readonly textBytes?: number;
  /** Each day begins with an epoch; 1,000 when left out. */
  readonly messagesPerDay?: number;
  /** How long each attachment is: the first messages name one each. */
  readonly attachments?: readonly number[];
}

/** A log that is made while it is read, once and from its beginning, in memory that does not grow with its messages. */
export interface LongLog extends ExportSource {
  readonly world: SeededWorld;
}

const DAY_MS = 86_400_000;
const PIECE_BYTES = 65_536;
const [STATEMENT, ENVELOPE] = [Uint8Array.of(1), Uint8Array.of(0)];

/** Messages that three members write in turn, as the source of an archive: every one of them sealed, signed, chained. */
export function longLog(options: LongLogOptions): LongLog {
  const { seed, messages, textBytes = 1_000, messagesPerDay = 1_000, attachments: sizes = [] } = options;
  const world = seededWorld({ seed, members: 3, admins: 2 });
  const { primitives, random, clock, members } = world;
  const group = world.state.everyone;
  const days = Math.ceil(messages / messagesPerDay);
  const named = sizes.map((sizeBytes, i) => describe(`${seed} ${i}`, sizeBytes, world));
  const epochKeys: EpochKey[] = [];
  const heads = members.map(() => ({ counter: -1, link: new Uint8Array(32) as Uint8Array }));
  let tree: MerkleFrontier = EMPTY_FRONTIER;
  let statement: EpochStatement | null = null;

  const groupHead = () => ({ size: tree.size, root: rootOf(primitives, tree) });
  const directoryHead = () => ({ size: world.state.size, root: world.state.root });
  function append(entry: SourceEntry): SourceEntry {
    const bytes = entry.kind === 'statement' ? [STATEMENT, entry.wire] : [ENVELOPE, entry.envelope];
    tree = appendLeaf(primitives, tree, leafHash(primitives, concatBytes(...bytes)));
    return entry;
  }

  async function startDay(): Promise<{ wire: Uint8Array; keys: EpochKeys }> {
    const recipients = recipientsOf(world.state, group);
    const [{ devices }] = members;
    const senders = members.map((member, i) => {
      return { device: member.devices[0].id, ...(heads[i] as (typeof heads)[number]) };
    });
    const created = await createEpoch({
      ...{ primitives, random, org: world.org, group, previous: statement, createdMs: clock.now() },
      ...{ blockStartMs: clock.now(), blockEndMs: clock.now() + DAY_MS },
      reason: statement === null ? 'first' : 'block-boundary',
      checkpoint: directoryHead(),
      closing: {
        group: groupHead(),
        senders: senders
          .filter(({ counter }) => counter >= 0)
          .toSorted((a, b) => (a.device < b.device ? -1 : 1)),
      },
      author: devices[0].id,
      signer: devices[0].signer,
      recipients: recipients.map(({ device, sealingPublicKey }) => {
        return { device, encapsulator: primitives.encapsulator(sealingPublicKey) };
      }),
    });
    statement = parseEpochStatement(primitives, created.statement);
    epochKeys.push({ epoch: statement.epoch, statement: created.hash, key: created.key });
    const key = Secret.own(created.key.use((bytes) => bytes.slice()));
    const verifiers = recipients.map(({ device, signingPublicKey }) => {
      return { device, verifier: primitives.verifier(signingPublicKey) };
    });
    const keys = openEpoch({ primitives, statement, key, devices: verifiers });
    return { wire: created.statement, keys };
  }

  function say(keys: EpochKeys, place: number): SourceEntry {
    const by = place % members.length;
    const { id: member, devices } = members[by] as (typeof members)[number];
    const [{ id: sender, signer }] = devices;
    const before = heads[by] as (typeof heads)[number];
    const counter = before.counter + 1;
    const channel = new Uint8Array(16).fill(7);
    const attachments = named.slice(place, place + 1);
    const files = attachments.map(({ descriptor, ...rest }) => {
      return { ...rest, descriptor: toBase64Url(descriptor) };
    });
    const text = `${place} `.padEnd(textBytes, 'abcdefghijklmnopqrstuvwxyz ');
    const payload = encodeCbor([1, 0, 'chat', '', clock.now() + place, 0, { text, files }]);
    const { envelope, link } = sealMessage(keys, {
      ...{ signer, sender, channel, counter, random, payload, previousLink: before.link },
      heads: { directory: directoryHead(), group: groupHead() },
    });
    heads[by] = { counter, link };
    const role = world.state.members.get(member)?.role ?? 'member';
    return append({
      ...{ kind: 'message', seq: tree.size + 1, envelope, epoch: keys.epoch, sender, member, role, counter },
      ...{ channel, payload, invalid: null, attachments },
    });
  }

  return {
    world,
    org: world.org,
    async *membership() {
      yield* world.wires;
    },
    checkpoint: async () => null,
    archiveKeySet: async () => null,
    groups: async () => [
      { group, before: EMPTY_FRONTIER, statementBefore: null, throughSeq: messages + days },
    ],
    async *entries(_group, fromSeq) {
      if (fromSeq !== 1 || tree.size > 0) throw new RangeError('a long log is read once, from its beginning');
      for (let day = 0; day < days; day += 1) {
        const { wire, keys } = await startDay();
        yield append({ kind: 'statement', seq: tree.size + 1, wire });
        const [first, end] = [day * messagesPerDay, Math.min(messages, (day + 1) * messagesPerDay)];
        for (let place = first; place < end; place += 1) yield say(keys, place);
        keys.dispose();
        clock.advance(DAY_MS);
      }
    },
    async *epochKeys() {
      yield* epochKeys;
    },
    async *archiveBoxes() {},
    async *attachment({ blob, sizeBytes }) {
      yield* contentOf(`${seed} ${named.findIndex((one) => one.blob === blob)}`, sizeBytes);
    },
    missingCodeOf: () => null,
  };
}

function describe(
  seed: string,
  sizeBytes: number,
  { primitives, random }: Pick<SeededWorld, 'primitives' | 'random'>,
): NamedAttachment {
  const sealer = sealAttachment({ primitives, random });
  for (const piece of contentOf(seed, sizeBytes)) sealer.push(piece);
  for (const rest of sealer.end()) void rest;
  return { blob: toHex(random(32)), descriptor: encodeAttachmentDescriptor(sealer.descriptor()), sizeBytes };
}

/** Bytes that no program makes shorter, the same for the same seed. */
function* contentOf(seed: string, sizeBytes: number): Generator<Uint8Array, void> {
  const key = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-256-ctr', key, new Uint8Array(16));
  const nothing = new Uint8Array(PIECE_BYTES);
  for (let left = sizeBytes; left > 0; left -= PIECE_BYTES)
    yield cipher.update(nothing.subarray(0, Math.min(left, PIECE_BYTES)));
}
