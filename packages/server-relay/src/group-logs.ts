import {
  concatBytes,
  type DeviceId,
  type GroupId,
  type OrgId,
  type Primitives,
  type Random,
} from '@keytide/crypto-core';
import type { AddressedBox, EntryKind } from '@keytide/relay-protocol';
import type { Clock } from './clock.ts';
import type { DayKeys } from './day-keys.ts';
import { createDaySeal, type SealPlace } from './day-seal.ts';
import type {
  Announcement,
  AppendVerdict,
  BoxPlace,
  EntryStore,
  EnvelopeAppend,
  Filed,
  FiledStatement,
  FilingVerdict,
  FloorMove,
} from './entry-store.ts';
import { RelayError } from './errors.ts';
import { lastUseMs } from './last-use.ts';
import { growTree, keptTree, type TreeSource } from './log-tree.ts';
import { dayOf, filingAt, type RetentionOf } from './retention.ts';

/**
 * Group logs as the relay uses them: in is what came, out is what came, and in between it is sealed under the key
 * of its day, which the database never has (docs/spec/relay-storage.md).
 * Every method throws RelayError `database-failed` when the store cannot answer, `data-damaged` for what does not open.
 */
export interface GroupLogs {
  /** Appends in this order, each item judged by itself. No two items of a call share group and message id. */
  appendEnvelopes(items: readonly EnvelopeAppend[]): Promise<readonly EnvelopeVerdict[]>;
  /** Adds the statement and its boxes together if its epoch follows the newest; epoch 1 starts a group's log. */
  announceEpoch(announcement: Announcement): Promise<AppendVerdict>;
  /**
   * Entries after `afterSeq`, oldest first, as many as a page holds; those from the floor on where `afterSeq` is below
   * it. Empty at the end of the log, and for a group without one.
   */
  readEntries(org: OrgId, group: GroupId, afterSeq: number): Promise<EntriesPage>;
  /** The statement of the newest epoch, or `null` before the first. */
  readNewestStatement(org: OrgId, group: GroupId): Promise<Uint8Array | null>;
  /** The box of one device in one epoch; `null` when there is none, or none any more. */
  readBox(place: BoxPlace): Promise<Uint8Array | null>;
  /**
   * Makes the floor ready that a group will have: its statement sealed again under the key of today, and the tree of
   * what is about to be forgotten. Where that does not open, the statement alone is kept.
   * @throws RelayError `data-damaged` for a statement that does not open, and for a tree, once the statement is kept
   */
  keepFloor(org: OrgId, move: FloorMove): Promise<void>;
  /** Where the log begins now; `null` for one that has everything. */
  readFloor(org: OrgId, group: GroupId): Promise<LogFloor | null>;
  /**
   * What has to be waited for before this can be added; `null` for nothing. Towards midnight it sees to it that there is
   * nothing tomorrow either.
   */
  sealable(item: EnvelopeAppend | Announcement): Promise<unknown> | null;
}

/** `failed`: it could not be sealed, for what is wrong with its organisation's key, and was not stored. */
export type EnvelopeVerdict = AppendVerdict | { readonly failed: unknown };

/** Part of a group's log. `headSeq` is the newest seq (0 for none), `epoch` the newest epoch (0 for none). */
export interface EntriesPage {
  readonly entries: readonly StoredEntry[];
  readonly headSeq: number;
  readonly epoch: number;
}

/** What a device needs to go on from the first seq that a log has. */
interface LogFloor {
  readonly firstSeq: number;
  /** The newest statement before it. */
  readonly statement: Uint8Array;
  /** Of the log's tree before it: 32 bytes a hash, the largest subtree first. */
  readonly frontier: Uint8Array;
}

/** One entry of a group's log. */
interface StoredEntry {
  readonly seq: number;
  readonly kind: EntryKind;
  readonly bytes: Uint8Array;
}

/** What `createGroupLogs` works with. */
export interface GroupLogsOptions {
  readonly store: EntryStore;
  readonly keys: DayKeys;
  readonly primitives: Primitives;
  readonly random: Random;
  readonly clock: Clock;
  readonly retentionOf: RetentionOf;
  /** Lets pages be read, each of which is in memory whole. Default: all at once. */
  readonly inTurn?: <T>(read: () => Promise<T>) => Promise<T>;
}

/** Another node's midnight, a key that is not here yet, and a day that is forgotten meanwhile, can each take one more. */
const ATTEMPTS = 6;
const HOUR_MS = 3_600_000;
/** Groups whose newest epoch is remembered. */
const MAX_EPOCHS = 10_000;

interface KnownEpoch {
  readonly epoch: number;
  /** Until when it is written in. */
  readonly usedMs: number;
}

/** Keeps nothing but the keys that `keys` keeps, and until when the newest epochs are written in. */
export function createGroupLogs(options: GroupLogsOptions): GroupLogs {
  const { store, keys, primitives, clock, retentionOf, inTurn = (read) => read() } = options;
  const seal = createDaySeal(options);
  const newest = new Map<string, KnownEpoch>();

  /** `latestMs`: nothing of it can come later, whatever the clock says. */
  async function filed(
    org: OrgId,
    bytes: Uint8Array,
    { day, latestMs = Infinity }: { readonly day?: number | undefined; readonly latestMs?: number },
  ): Promise<Filed> {
    const retention = await retentionOf(org);
    if (retention === null) throw new RelayError('not-a-member', 'no such organisation');
    const filing = filingAt(retention, Math.min(clock.now(), latestMs));
    return {
      filing: { ...filing, day: day ?? filing.day },
      digest: primitives.sha256(bytes).slice(0, 16),
    };
  }

  /** As `usedMs`, if nobody has to be asked. */
  function knownUse(org: OrgId, group: GroupId, epoch: number): number | null {
    const known = newest.get(org + group);
    return known !== undefined && known.epoch >= epoch ? known.usedMs : null;
  }

  /** The key that seals what comes now, if it is not here. */
  function keyFor(org: OrgId, latestMs: number): Promise<unknown> | null {
    const nowMs = clock.now();
    const day = dayOf(Math.min(nowMs, latestMs));
    if (dayOf(Math.min(nowMs + aheadMs(org), latestMs)) > day) keys.prepare(org, day + 1);
    return keys.isHere(org, day) ? null : keys.sealing(org, day);
  }

  /** Until when an epoch of a group is written in, or one that came after it. */
  async function usedMs(org: OrgId, group: GroupId, epoch: number): Promise<number> {
    const known = knownUse(org, group, epoch);
    if (known !== null) return known;
    const stored = await store.readNewestStatement(org, group);
    // What is damaged bounds nothing; an epoch that is not there the store refuses.
    if (stored === null || stored.epoch < epoch) return Infinity;
    const statement = await openStatement(org, group, stored).catch(() => null);
    if (statement === null) return Infinity;
    const read = { epoch: stored.epoch, usedMs: lastUseMs(primitives, statement) };
    remember(org, group, read);
    return read.usedMs;
  }

  function remember(org: OrgId, group: GroupId, known: KnownEpoch): void {
    newest.set(org + group, known);
    for (const oldest of newest.keys()) {
      if (newest.size <= MAX_EPOCHS) break;
      newest.delete(oldest);
    }
  }

  /** Files each item until none has to be sealed again. `days` says for which day, where that is not today. */
  async function settle<T extends { readonly org: OrgId }>(
    items: readonly T[],
    file: (
      items: readonly T[],
      days: ReadonlyMap<T, number>,
    ) => Promise<readonly (FilingVerdict | EnvelopeVerdict)[]>,
  ): Promise<readonly EnvelopeVerdict[]> {
    const settled = new Map<T, EnvelopeVerdict>();
    const days = new Map<T, number>();
    let open = items;
    for (let attempt = 0; open.length > 0 && attempt < ATTEMPTS; attempt += 1) {
      const verdicts = await file(open, days);
      for (const [index, item] of open.entries()) {
        const verdict = verdicts[index] as FilingVerdict | EnvelopeVerdict;
        if (!('sealAgainFor' in verdict)) settled.set(item, verdict);
        else {
          days.set(item, verdict.sealAgainFor);
          keys.forget(item.org, { day: verdict.sealAgainFor });
        }
      }
      open = open.filter((item) => !settled.has(item));
    }
    if (open.length > 0) throw new RelayError('database-failed', 'the days of a log do not settle');
    return items.map((item) => settled.get(item) as EnvelopeVerdict);
  }

  async function fileEnvelopes(
    items: readonly EnvelopeAppend[],
    days: ReadonlyMap<EnvelopeAppend, number>,
  ): Promise<readonly (FilingVerdict | EnvelopeVerdict)[]> {
    // A key that does not come, or does not open, is of one organisation: the others of the batch go on.
    const tried = await Promise.allSettled(items.map((item) => sealedFor(item, days.get(item))));
    const sealed = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const verdicts = (sealed.length === 0 ? [] : await store.appendEnvelopes(sealed)).values();
    return tried.map((one) =>
      one.status === 'fulfilled'
        ? (verdicts.next().value as FilingVerdict)
        : { failed: one.reason as unknown },
    );
  }

  async function sealedFor(
    item: EnvelopeAppend,
    sealFor: number | undefined,
  ): Promise<EnvelopeAppend & Filed> {
    const { org, group, epoch, messageId, envelope } = item;
    const latestMs = await usedMs(org, group, epoch);
    const { filing, digest } = await filed(org, envelope, { day: sealFor, latestMs });
    const place: SealPlace = { org, group, day: filing.day, kind: 'envelope', id: messageId };
    return { ...item, filing, digest, envelope: await seal.seal(place, envelope) };
  }

  async function fileAnnouncement(
    announcement: Announcement,
    sealFor: number | undefined,
  ): Promise<FilingVerdict> {
    const { org, group, epoch, messageId, statement } = announcement;
    const latestMs = lastUseMs(primitives, statement);
    const { filing, digest } = await filed(org, statement, { day: sealFor, latestMs });
    const { day } = filing;
    const boxes: AddressedBox[] = [];
    for (const { device, box } of announcement.boxes)
      boxes.push({ device, box: await seal.seal(placeOfBox({ org, group, epoch, device }, day), box) });
    const place: SealPlace = { org, group, day, kind: 'statement', id: messageId };
    const sealed = { ...announcement, boxes, statement: await seal.seal(place, statement) };
    const verdict = await store.announceEpoch({ ...sealed, filing, digest });
    if ('seq' in verdict && !verdict.repeated) remember(org, group, { epoch, usedMs: latestMs });
    return verdict;
  }

  /** A page; or the day whose key is not here, or not any more. */
  async function readPage(org: OrgId, group: GroupId, afterSeq: number): Promise<EntriesPage | number> {
    const { day, entries, headSeq, epoch } = await store.readEntries(org, group, afterSeq);
    if (day !== null && !keys.isHere(org, day)) return day;
    const opened: StoredEntry[] = [];
    for (const { seq, kind, messageId: id, bytes } of entries) {
      const plain = day === null ? bytes : await seal.open({ org, group, day, kind, id }, bytes);
      if (plain === null) return day as number;
      opened.push({ seq, kind, bytes: plain });
    }
    return { entries: opened, headSeq, epoch };
  }

  /** Reads a page, also where a day of it is forgotten meanwhile. */
  async function readEntries(org: OrgId, group: GroupId, afterSeq: number): Promise<EntriesPage> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const page = await inTurn(() => readPage(org, group, afterSeq));
      if (typeof page !== 'number') return page;
      // Not in turn: who keeps the key may take long to answer, and other organisations have theirs.
      await keys.opening(org, page);
    }
    throw new RelayError('data-damaged', 'a log has a day without a key');
  }

  async function openStatement(
    org: OrgId,
    group: GroupId,
    stored: FiledStatement,
  ): Promise<Uint8Array | null> {
    const { day, messageId: id, bytes } = stored;
    return day === null ? bytes : await seal.open({ org, group, day, kind: 'statement', id }, bytes);
  }

  /**
   * The log's tree before a seq: from the largest that is kept, and what came after it. `null` where some of that is gone,
   * which was said when it went.
   */
  async function treeBefore(org: OrgId, group: GroupId, seq: number): Promise<Uint8Array | null> {
    const source: TreeSource = { store, readEntries, primitives };
    const kept = await keptTree(source, { org, group }, seq - 1);
    if (kept === null) return null;
    return concatBytes(...(await growTree(source, { org, group }, kept, seq - 1)).hashes);
  }

  async function makeFloor(org: OrgId, move: FloorMove): Promise<void> {
    const { group, nextFirstSeq: firstSeq } = move;
    const stored = await store.readStatementBefore(org, group, firstSeq);
    const statement = stored === null ? null : await openStatement(org, group, stored);
    if (stored === null || statement === null)
      throw new RelayError('data-damaged', 'a log without a statement');
    const { epoch, messageId } = stored;
    const { filing } = await filed(org, statement, {});
    const { day } = filing;
    const bytes = await seal.seal({ org, group, day, kind: 'statement', id: messageId }, statement);
    const keep = (frontier: Uint8Array | null): Promise<void> =>
      store.keepFloor({ org, group, firstSeq, epoch, messageId, day, bytes, frontier });
    try {
      await keep(await treeBefore(org, group, firstSeq));
    } catch (error) {
      // The group goes on: the next statement has to name this one.
      if (error instanceof RelayError && error.code === 'data-damaged') await keep(null);
      throw error;
    }
  }

  return {
    appendEnvelopes: (items) => settle(items, fileEnvelopes),
    async announceEpoch(announcement) {
      const [verdict] = await settle([announcement], async ([item], days) => [
        await fileAnnouncement(item as Announcement, days.get(item as Announcement)),
      ]);
      return verdict as AppendVerdict;
    },
    readEntries,
    async readNewestStatement(org, group) {
      const stored = await store.readNewestStatement(org, group);
      return stored === null ? null : await openStatement(org, group, stored);
    },
    async readBox(place) {
      const stored = await store.readBox(place);
      if (stored === null || stored.day === null) return stored?.bytes ?? null;
      return await seal.open(placeOfBox(place, stored.day), stored.bytes);
    },
    async keepFloor(org, move) {
      try {
        await makeFloor(org, move);
      } catch (error) {
        if (!(error instanceof RelayError) || error.code !== 'data-damaged') throw error;
        // Another node was first: what was to be read is gone, and the floor is there.
        const there = await store.readFloor(org, move.group);
        if (there === null || there.firstSeq <= move.firstSeq) throw error;
      }
    },
    async readFloor(org, group) {
      const stored = await store.readFloor(org, group);
      if (stored === null) return null;
      const { firstSeq, frontier } = stored;
      const statement = await openStatement(org, group, stored);
      if (statement === null || frontier === null)
        throw new RelayError('data-damaged', 'what this log had before its floor could not be read');
      return { firstSeq, statement, frontier };
    },
    sealable(item) {
      const { org, group, epoch } = item;
      if ('statement' in item) return keyFor(org, lastUseMs(primitives, item.statement));
      const known = knownUse(org, group, epoch);
      if (known !== null) return keyFor(org, known);
      return usedMs(org, group, epoch).then((latestMs) => keyFor(org, latestMs));
    },
  };
}

/** How long before midnight an organisation's next key is made: one to three hours, so that not all come at once. */
function aheadMs(org: OrgId): number {
  return (1 + Number.parseInt(org.slice(0, 4), 16) / 32_768) * HOUR_MS;
}

function placeOfBox(
  { org, group, epoch, device }: Omit<BoxPlace, 'device'> & { device: DeviceId },
  day: number,
): SealPlace {
  return { org, group, day, kind: 'box', id: [epoch, device] };
}
