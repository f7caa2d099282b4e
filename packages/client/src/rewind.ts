import {
  sorted,
  type DeviceId,
  type EpochStatement,
  type GroupId,
  type KeyStore,
} from '@keytide/crypto-core';
import type { CommonLog } from './common-log.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import { draftsAgain, sealDrafts, type Draft } from './draft.ts';
import { decodeRecord } from './entry.ts';
import type { EpochRing, Self } from './epoch-ring.ts';
import { examineEnvelopes } from './examine.ts';
import type { GroupReplica, Missing } from './group-replica.ts';
import { readPage, type Journal } from './journal.ts';
import type { Outbox } from './outbox.ts';
import type { OwnHead } from './own-head.ts';
import type { Ports } from './ports.ts';
import type { Unsealed, UnsealedDraft } from './unsealed.ts';

/** Entries that this device had, and that the relay has lost: it was put back from a backup, or says so. */
export interface Lost {
  /** The first and the last of them. */
  readonly seq: number;
  readonly throughSeq: number;
  /** What others have written there, as far as it could be read: their devices send it again when they come. */
  readonly others: readonly Missing[];
  /** How many messages of this device are sent again. */
  readonly again: number;
  /** How many are not: no epoch is left for them, and whoever came since would read them in a new one. */
  readonly notAgain: number;
}

/** What is rewound. */
export interface RewindOptions {
  readonly ports: Ports;
  readonly keyStore: KeyStore;
  readonly group: GroupId;
  readonly self: Self;
  readonly directory: DirectoryReplica;
  readonly epochs: EpochRing;
  readonly replica: GroupReplica;
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly ownHead: OwnHead;
  readonly unsealed: Unsealed;
  /** Before anything here is let go of; after a crash, once more. */
  onLost(lost: Lost): void;
  /** What waits in the outbox now. */
  onWaiting(payload: Uint8Array, epoch: number): void;
}

/**
 * Goes back to what a device and the relay have in common (docs/spec/timeline.md). What the device itself has written
 * since is durable before anything is let go of: sealed anew in its outbox, for counters are not used twice, or, where
 * the relay has no epoch left that it could be sealed in, as it is in the key store.
 * @throws ClientError `offline` where the log before cannot be decided without the relay
 */
export async function rewind(options: RewindOptions, common: CommonLog): Promise<void> {
  const { keyStore, self, epochs, replica, journal, outbox, ownHead, unsealed, onLost, onWaiting } = options;
  const fresh = replica.fresh();
  while (fresh.records < common.records) {
    const page = (await readPage(journal, fresh.records)).slice(0, common.records - fresh.records);
    for await (const outcome of fresh.process(page.map(decodeRecord))) void outcome;
  }
  const { own, others } = await lostMessages(options, common);
  outbox.passOver(-1, () => true);
  // Whoever came since could not read it then: it is not written to them now.
  const reaches = new Map<number, boolean>();
  const again = [...own, ...draftsAgain(epochs, outbox.passedOver)].flatMap(
    ({ epoch, ...draft }): Again[] => {
      if (draft.replaces <= unsealed.through || outbox.saysAgain(draft.replaces)) return [];
      const isForAll = reaches.get(epoch) ?? epochs.reachesAll(epoch);
      reaches.set(epoch, isForAll);
      return [{ ...draft, isForAll, endMs: (epochs.statementOf(epoch) as EpochStatement).blockEndMs }];
    },
  );
  const kept = unsealed.drafts.filter(({ replaces }) => !outbox.saysAgain(replaces));
  const all = [...kept.map((draft) => ({ ...draft, isForAll: true })), ...again];
  const keys = fresh.currentKeys;
  // What may go to everybody comes last, so that nothing else is given up with it.
  const drafts = sorted(
    keys === null ? all.filter(({ isForAll }) => isForAll) : all,
    (a, b) => Number(a.isForAll) - Number(b.isForAll) || a.replaces - b.replaces,
  );
  const last = replica.headOf(self.device);
  const head = ownHead.latest([outbox.last, last]);
  if (keys !== null && drafts.length > 0) {
    const latest: OwnHead['latest'] = (heads) => ownHead.latest([...heads, last]);
    const sealed = sealDrafts({ ...options, replica: fresh, ownHead: { latest } }, keys, drafts);
    await outbox.add(sealed);
    // What may go to everybody who is here now is sealed once more, for them, when there is an epoch with them.
    const forAll = new Set(drafts.flatMap(({ isForAll, replaces }) => (isForAll ? [replaces] : [])));
    outbox.passOver(-1, ({ replaces }) => forAll.has(replaces as number));
  }
  const through = head?.counter ?? -1;
  const still: readonly Again[] = keys === null ? drafts : [];
  const change = keys === null ? unsealed.change(through, still) : [];
  await keyStore.write([...ownHead.change(head), ...change]);
  ownHead.keep(head);
  if (keys === null) unsealed.keep(through, still);
  else await unsealed.forget(() => true);
  const notAgain = all.length - drafts.length;
  onLost({ seq: common.seq + 1, throughSeq: replica.size, others, again: drafts.length, notAgain });
  await journal.cut(common.records);
  replica.become(fresh);
  if (keys !== null) return drafts.forEach(({ payload }) => onWaiting(payload, keys.epoch));
  outbox.forget(() => true);
  await outbox.compact();
}

/** Something that this device has said. */
type Again = UnsealedDraft & { readonly isForAll: boolean };

/** Something that this device has said under a counter, in an epoch. */
type Said = Draft & { readonly replaces: number; readonly epoch: number };

/** What this device has said in the lost part of the log, and the counters of the others. */
async function lostMessages(
  { group, self, epochs, journal }: RewindOptions,
  common: CommonLog,
): Promise<{ own: Said[]; others: Missing[] }> {
  const own: Said[] = [];
  const others = new Map<DeviceId, { from: number; to: number }>();
  for (let at = common.records; at < journal.length;) {
    const page = await readPage(journal, at);
    at += page.length;
    const entries = page.map(decodeRecord);
    const envelopes = entries.flatMap((entry) => (entry.kind === 'envelope' ? [entry.bytes] : []));
    for (const examined of examineEnvelopes(epochs, group, envelopes)) {
      // Only what is authentic: nobody else may have this device say anything.
      if (examined.message === null || typeof examined.verdict === 'string') continue;
      const { sender, counter, channel, payload } = examined.verdict;
      const run = others.get(sender) ?? { from: counter, to: counter };
      if (sender === self.device) own.push({ channel, payload, replaces: counter, epoch: examined.epoch });
      else others.set(sender, { from: Math.min(run.from, counter), to: Math.max(run.to, counter) });
    }
  }
  return { own, others: [...others].map(([device, run]) => ({ device, ...run })) };
}
