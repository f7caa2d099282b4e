import {
  appendLeaf,
  createEpoch,
  EMPTY_FRONTIER,
  encodeCbor,
  equalBytes,
  openEpoch,
  parseEpochStatement,
  rootOf,
  sealMessage,
  Secret,
  sealAttachment,
  toBase64Url,
  toHex,
  encodeAttachmentDescriptor,
  type CborValue,
  type EpochKeys,
  type EpochStatement,
  type MerkleFrontier,
} from '@keytide/crypto-core';
import {
  acceptInvite,
  archiveOf,
  createInvite,
  newMemberId,
  recipientsOf,
  replay,
} from '@keytide/key-directory';
import {
  seededDevice,
  seededWorld,
  type SeededMember,
  type SeededWorld,
  type WorldOptions,
} from '@keytide/testkit';
import type { EpochKey, ExportSource, NamedAttachment, SourceEntry } from '../src/index.ts';
import { leafOf } from '../src/export/segment.ts';

/** What somebody says, and with what. */
export interface Said {
  /** Index of the member in the world. */
  readonly by: number;
  readonly content: CborValue;
  readonly attachments?: readonly Uint8Array[];
  /** Attachments that were attached before, by whatever description. */
  readonly naming?: readonly NamedAttachment[];
  readonly invalid?: string;
  /** Says another log than there is, and to know of the membership log its first entry alone. */
  readonly isLie?: true;
  /** Shown to the source without a key. */
  readonly unreadable?: string;
}

/** An organisation with a log, and the log as a source for archives. */
export interface WorldSource extends ExportSource {
  readonly world: SeededWorld;
  readonly log: readonly SourceEntry[];
  /** The log's tree after so many entries. */
  treeAt(size: number): MerkleFrontier;
  /** A day goes by, in which this is said; by the founder's statement, or by one that lies about the log before it. */
  day(said: readonly Said[], liar?: number): Promise<void>;
  /** One more member, said by the next index; with a key in the next epoch. */
  admit(): void;
  /** What an attachment says from now on in place of its content. */
  lose(blob: string): void;
}

/** How many admins, and devices of each member. */
export type WorldPeople = Partial<Pick<WorldOptions, 'admins' | 'devicesPerMember'>>;

const DAY_MS = 86_400_000;
const POLICY = { blockSeconds: 86_400, retentionSeconds: 7 * 86_400, exportSeconds: 30 * 86_400 };

/** A world's log that has no entry yet. */
export function worldSource(
  seed: string,
  founding = 3,
  archiveKey?: Uint8Array,
  people: WorldPeople = {},
): WorldSource {
  const policy = archiveKey && { ...POLICY, archiveKey };
  const world = seededWorld({ seed, members: founding, admins: 2, ...people, ...(policy && { policy }) });
  const { primitives, random, clock } = world;
  const members: SeededMember[] = [...world.members];
  const group = world.state.everyone;
  const log: SourceEntry[] = [];
  const trees: MerkleFrontier[] = [EMPTY_FRONTIER];
  const heads = new Map<number, { counter: number; link: Uint8Array }>();
  const keysOf: EpochKey[] = [];
  const contents = new Map<string, Uint8Array | null>();
  const descriptors = new Map<string, Uint8Array>();
  let statement: EpochStatement | null = null;

  const treeAt = (size: number): MerkleFrontier => trees[size] as MerkleFrontier;
  function append(entry: SourceEntry): void {
    log.push(entry);
    trees.push(appendLeaf(primitives, treeAt(trees.length - 1), leafOf(primitives, entry)));
  }
  function deviceOf(by: number) {
    const member = members[by];
    if (member === undefined) throw new RangeError('no such member');
    return { member, device: member.devices[0] };
  }

  async function startEpoch(liar: number | null): Promise<EpochKeys> {
    const { device: author } = deviceOf(liar ?? 0);
    const recipients = recipientsOf(world.state, group);
    const archive = archiveOf(primitives, world.state);
    const start = Math.floor(clock.now() / DAY_MS) * DAY_MS;
    const created = await createEpoch({
      ...{ primitives, random, org: world.org, group, previous: statement, createdMs: clock.now() },
      ...{
        blockStartMs: start,
        blockEndMs: start + DAY_MS,
        reason: statement === null ? 'first' : 'block-boundary',
      },
      checkpoint: { size: world.state.size, root: world.state.root },
      closing: {
        group: {
          size: log.length,
          root: liar === null ? rootOf(primitives, treeAt(log.length)) : random(32),
        },
        senders: [...heads]
          .map(([by, head]) => ({ device: deviceOf(by).device.id, ...head }))
          .toSorted((a, b) => (a.device < b.device ? -1 : 1)),
      },
      author: author.id,
      signer: author.signer,
      recipients: [...recipients, ...(archive === null ? [] : [archive])].map(
        ({ device, sealingPublicKey }) => {
          return { device, encapsulator: primitives.encapsulator(sealingPublicKey) };
        },
      ),
    });
    statement = parseEpochStatement(primitives, created.statement);
    keysOf.push({ epoch: statement.epoch, statement: created.hash, key: created.key });
    append({ kind: 'statement', seq: log.length + 1, wire: created.statement });
    const devices = recipients.map(({ device, signingPublicKey }) => {
      return { device, verifier: primitives.verifier(signingPublicKey) };
    });
    return openEpoch({
      primitives,
      statement,
      key: Secret.own(created.key.use((key) => key.slice())),
      devices,
    });
  }

  function attach(content: Uint8Array): NamedAttachment {
    const sealer = sealAttachment({ primitives, random });
    sealer.push(content);
    for (const rest of sealer.end()) void rest;
    const blob = toHex(random(32));
    contents.set(blob, content);
    descriptors.set(blob, encodeAttachmentDescriptor(sealer.descriptor()));
    return { blob, descriptor: encodeAttachmentDescriptor(sealer.descriptor()), sizeBytes: content.length };
  }

  function say(
    keys: EpochKeys,
    { by, content, attachments = [], naming: again = [], invalid, unreadable, isLie }: Said,
  ): void {
    const { member, device } = deviceOf(by);
    const head = heads.get(by) ?? { counter: -1, link: new Uint8Array(32) };
    const counter = head.counter + 1;
    const channel = new Uint8Array(16).fill(7);
    const named = [...attachments.map(attach), ...again];
    const known = isLie === true ? replay(primitives, world.wires.slice(0, 1)) : world.state;
    const payload = encodeCbor(named.length === 0 ? content : naming(content, named));
    const { envelope, link } = sealMessage(keys, {
      ...{ signer: device.signer, sender: device.id, channel, counter, random, payload },
      previousLink: head.link,
      heads: {
        directory: { size: known.size, root: known.root },
        group: {
          size: log.length,
          root: isLie === true ? random(32) : rootOf(primitives, treeAt(log.length)),
        },
      },
    });
    heads.set(by, { counter, link });
    const seq = log.length + 1;
    const { epoch } = keys;
    if (unreadable !== undefined) {
      append({ kind: 'unreadable', seq, envelope, epoch, code: unreadable });
      return;
    }
    const role = world.state.members.get(member.id)?.role ?? 'member';
    append({
      ...{ kind: 'message', seq, envelope, epoch, sender: device.id, member: member.id, role, counter },
      ...{ channel, payload, invalid: invalid ?? null, attachments: named },
    });
  }

  return {
    world,
    log,
    treeAt,
    org: world.org,
    async day(said, liar) {
      const keys = await startEpoch(liar ?? null);
      for (const each of said) say(keys, each);
      clock.advance(DAY_MS);
    },
    admit() {
      const device = seededDevice(primitives, random, clock.now());
      const handle = `member-${members.length}`;
      const id = newMemberId(random);
      const founder = world.as(world.members[0].devices[0]);
      const expiresMs = clock.now() + DAY_MS;
      const { wire, seed: secret } = createInvite({ ...founder, random, role: 'member', expiresMs });
      const state = world.append(wire);
      const own = { seed: secret, device: device.own, handle, member: id };
      world.append(acceptInvite({ primitives, random, state, ...own, nowMs: clock.now() }));
      members.push({ id, handle, devices: [device] });
    },
    lose: (blob) => void contents.set(blob, null),
    async *membership() {
      yield* world.wires;
    },
    checkpoint: async () => null,
    archiveKeySet: async () => null,
    groups: async () => [{ group, before: EMPTY_FRONTIER, statementBefore: null, throughSeq: log.length }],
    async *entries(_group, fromSeq, throughSeq) {
      yield* log.slice(fromSeq - 1, throughSeq);
    },
    async *epochKeys() {
      yield* keysOf;
    },
    async *archiveBoxes() {},
    async *attachment({ blob, descriptor }) {
      if (!equalBytes(descriptor, descriptors.get(blob) ?? new Uint8Array()))
        throw new AttachmentGone('tampered');
      const content = contents.get(blob);
      if (content === null || content === undefined) throw new AttachmentGone('attachment-gone');
      for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
    },
    missingCodeOf: (error) => (error instanceof AttachmentGone ? error.message : null),
  };
}

/** An operation whose body names attachments, as the client writes them. */
function naming(operation: CborValue, named: readonly NamedAttachment[]): CborValue {
  const fields = operation as readonly CborValue[];
  const files = named.map(({ descriptor, ...rest }) => ({ ...rest, descriptor: toBase64Url(descriptor) }));
  return [...fields.slice(0, -1), { ...(fields.at(-1) as object), files }];
}

class AttachmentGone extends Error {}
