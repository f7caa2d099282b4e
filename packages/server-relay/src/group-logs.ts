import type { DeviceId, GroupId, OrgId, Primitives, Random } from '@keytide/crypto-core';
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
  FilingVerdict,
} from './entry-store.ts';
import { RelayError } from './errors.ts';
import { filingAt, type RetentionOf } from './retention.ts';

/**
 * Group logs as the relay uses them: in is what came, out is what came, and in between it is sealed under the key
 * of its day, which the database never has (docs/spec/relay-storage.md).
 * Every method throws RelayError `database-failed` when the store cannot answer, `data-damaged` for what does not open.
 */
export interface GroupLogs {
  /** Appends in this order, each item judged by itself. No two items of a call share group and message id. */
  appendEnvelopes(items: readonly EnvelopeAppend[]): Promise<readonly AppendVerdict[]>;
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
  /** Seals the newest statement of a group again, under the key of today. */
  keepStatement(org: OrgId, group: GroupId): Promise<void>;
}

/** Part of a group's log. `headSeq` is the newest seq (0 for none), `epoch` the newest epoch (0 for none). */
export interface EntriesPage {
  readonly entries: readonly StoredEntry[];
  readonly headSeq: number;
  readonly epoch: number;
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
}

/** Another node's midnight, and a day that is forgotten meanwhile, can each take one more. */
const ATTEMPTS = 4;

/** Keeps nothing but the keys that `keys` keeps. */
export function createGroupLogs(options: GroupLogsOptions): GroupLogs {
  const { store, keys, primitives, clock, retentionOf } = options;
  const seal = createDaySeal(options);

  async function filed(org: OrgId, bytes: Uint8Array, day: number | undefined): Promise<Filed> {
    const retention = await retentionOf(org);
    if (retention === null) throw new RelayError('not-a-member', 'no such organisation');
    const filing = filingAt(retention, clock.now());
    return {
      filing: { ...filing, day: day ?? filing.day },
      digest: primitives.sha256(bytes).slice(0, 16),
    };
  }

  /** Files each item until none has to be sealed again. `days` says for which day, where that is not today. */
  async function settle<T extends { readonly org: OrgId }>(
    items: readonly T[],
    file: (items: readonly T[], days: ReadonlyMap<T, number>) => Promise<readonly FilingVerdict[]>,
  ): Promise<readonly AppendVerdict[]> {
    const settled = new Map<T, AppendVerdict>();
    const days = new Map<T, number>();
    let open = items;
    for (let attempt = 0; open.length > 0 && attempt < ATTEMPTS; attempt += 1) {
      const verdicts = await file(open, days);
      for (const [index, item] of open.entries()) {
        const verdict = verdicts[index] as FilingVerdict;
        if (!('sealAgainFor' in verdict)) settled.set(item, verdict);
        else {
          days.set(item, verdict.sealAgainFor);
          keys.forget(item.org, { day: verdict.sealAgainFor });
        }
      }
      open = open.filter((item) => !settled.has(item));
    }
    if (open.length > 0) throw new RelayError('database-failed', 'the days of a log do not settle');
    return items.map((item) => settled.get(item) as AppendVerdict);
  }

  async function fileEnvelopes(
    items: readonly EnvelopeAppend[],
    days: ReadonlyMap<EnvelopeAppend, number>,
  ): Promise<readonly FilingVerdict[]> {
    const sealed: (EnvelopeAppend & Filed)[] = [];
    for (const item of items) {
      const { org, group, messageId, envelope } = item;
      const { filing, digest } = await filed(org, envelope, days.get(item));
      const place: SealPlace = { org, group, day: filing.day, kind: 'envelope', id: messageId };
      sealed.push({ ...item, filing, digest, envelope: await seal.seal(place, envelope) });
    }
    return store.appendEnvelopes(sealed);
  }

  async function fileAnnouncement(
    announcement: Announcement,
    sealFor: number | undefined,
  ): Promise<FilingVerdict> {
    const { org, group, epoch, messageId, statement } = announcement;
    const { filing, digest } = await filed(org, statement, sealFor);
    const { day } = filing;
    const boxes: AddressedBox[] = [];
    for (const { device, box } of announcement.boxes)
      boxes.push({ device, box: await seal.seal(placeOfBox({ org, group, epoch, device }, day), box) });
    const place: SealPlace = { org, group, day, kind: 'statement', id: messageId };
    const sealed = { ...announcement, boxes, statement: await seal.seal(place, statement) };
    return store.announceEpoch({ ...sealed, filing, digest });
  }

  /** `null` when the day was forgotten between the two looks. */
  async function readPage(org: OrgId, group: GroupId, afterSeq: number): Promise<EntriesPage | null> {
    const { day, entries, headSeq, epoch } = await store.readEntries(org, group, afterSeq);
    const opened: StoredEntry[] = [];
    for (const { seq, kind, messageId: id, bytes } of entries) {
      const plain = day === null ? bytes : await seal.open({ org, group, day, kind, id }, bytes);
      if (plain === null) return null;
      opened.push({ seq, kind, bytes: plain });
    }
    return { entries: opened, headSeq, epoch };
  }

  async function newestStatement(org: OrgId, group: GroupId) {
    const stored = await store.readNewestStatement(org, group);
    if (stored === null) return null;
    const { day, messageId: id, bytes: sealed } = stored;
    const bytes = day === null ? sealed : await seal.open({ org, group, day, kind: 'statement', id }, sealed);
    return bytes === null ? null : { ...stored, bytes };
  }

  return {
    appendEnvelopes: (items) => settle(items, fileEnvelopes),
    async announceEpoch(announcement) {
      const [verdict] = await settle([announcement], async ([item], days) => [
        await fileAnnouncement(item as Announcement, days.get(item as Announcement)),
      ]);
      return verdict as AppendVerdict;
    },
    async readEntries(org, group, afterSeq) {
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        const page = await readPage(org, group, afterSeq);
        if (page !== null) return page;
      }
      throw new RelayError('data-damaged', 'a log has a day without a key');
    },
    readNewestStatement: async (org, group) => (await newestStatement(org, group))?.bytes ?? null,
    async readBox(place) {
      const stored = await store.readBox(place);
      if (stored === null || stored.day === null) return stored?.bytes ?? null;
      return await seal.open(placeOfBox(place, stored.day), stored.bytes);
    },
    async keepStatement(org, group) {
      const newest = await newestStatement(org, group);
      if (newest === null) return;
      const { filing } = await filed(org, newest.bytes, undefined);
      const { epoch, messageId } = newest;
      const place: SealPlace = { org, group, day: filing.day, kind: 'statement', id: messageId };
      const bytes = await seal.seal(place, newest.bytes);
      await store.keepStatement({ org, group, epoch, messageId, day: filing.day, bytes });
    },
  };
}

function placeOfBox(
  { org, group, epoch, device }: Omit<BoxPlace, 'device'> & { device: DeviceId },
  day: number,
): SealPlace {
  return { org, group, day, kind: 'box', id: [epoch, device] };
}
