import type { MerkleFrontier } from '@keytide/crypto-core';
import { activePhones, isActive, type Org } from './model.ts';

/** A membership log up to some entry; logs that fork share what came before. */
export interface LogNode {
  readonly wire: Uint8Array;
  readonly tree: MerkleFrontier;
  readonly parent: LogNode | null;
  readonly org: Org;
}

/** What is wrong with a statement, so that nobody may believe it; `null` when nothing is. */
export type Flaw = 'signature' | 'recipients' | 'not-a-block' | null;

/** An epoch as it should be understood: names only. */
export interface EpochModel {
  readonly parent: EpochModel | null;
  readonly number: number;
  readonly log: LogNode;
  readonly author: string;
  readonly createdMs: number;
  /** The phones that were given a box. */
  readonly boxed: ReadonlySet<string>;
  readonly flaw: Flaw;
}

/** When a sealing key starts and ends. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What one phone has believed so far. */
export interface View {
  readonly log: LogNode;
  readonly epoch: EpochModel | null;
}

/** Whether there is no key to seal to: the newest that has begun is over for longer than the policy's silence. */
export function isSilent(spans: readonly [Span, ...Span[]], atMs: number, { policy }: Org): boolean {
  const begun = spans.filter(({ fromMs }) => fromMs <= atMs);
  const newest = begun.reduce((a, b) => (b.fromMs >= a.fromMs ? b : a), spans[0]);
  return atMs >= newest.toMs + policy.silenceMs;
}

/** Who holds the key of an epoch: who is active in the log that it rests on, but for the silent. */
export function readersOf({ log, boxed }: EpochModel): Set<string> {
  return new Set(activePhones(log.org).filter((phone) => boxed.has(phone)));
}

/** What a phone is to make of a statement: `stop` where it proves that the relay shows two logs, or hides one. */
export function verdictOn(view: View, epoch: EpochModel): 'accept' | 'refuse' | 'stop' {
  const { parent, log, author, flaw } = epoch;
  if (log.org.size < (view.epoch?.log.org.size ?? 1)) return 'refuse';
  if (flaw === 'signature' || !view.log.org.phones.has(author)) return 'refuse';
  if (!isPartOf(log, view.log)) return isActive(view.log.org, author) ? 'stop' : 'refuse';
  if (flaw !== null || !isActive(log.org, author) || parent !== view.epoch) return 'refuse';
  return epoch.createdMs < (parent?.createdMs ?? 0) ? 'refuse' : 'accept';
}

/** Whether a log is what another one was before. */
export function isPartOf(log: LogNode, whole: LogNode): boolean {
  let node: LogNode | null = whole;
  while (node !== null && node.org.size > log.org.size) node = node.parent;
  return node === log;
}
