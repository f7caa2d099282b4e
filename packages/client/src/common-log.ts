import { equalBytes } from '@keytide/crypto-core';
import type { GroupEntry, RelayFrame } from '@keytide/relay-protocol';
import { decodeRecord, type LogRecord } from './entry.ts';
import { ClientError } from './errors.ts';
import { readPage, type Journal } from './journal.ts';

/** How far a device's copy of a group's log and the relay's are the same. */
export interface CommonLog {
  /** Records of the journal, and the seq that they reach. */
  readonly records: number;
  readonly seq: number;
}

/** What the relay has: an entry, or that nothing before `seq` is there any more. */
interface Theirs {
  readonly seq: number;
  readonly entry: GroupEntry | null;
}

/**
 * Compares the journal with the relay's log, entry by entry from the beginning, a page of each in memory. What the
 * relay has forgotten by now, and what this device was not given, is no difference.
 * @param read frames of a page after a seq
 * @throws ClientError `offline`, `relay-misbehaved` for what is no log
 */
export async function commonLog(
  journal: Journal,
  read: (afterSeq: number) => Promise<readonly RelayFrame[]>,
): Promise<CommonLog> {
  const theirs = entriesOf(read);
  let common: CommonLog = { records: 0, seq: 0 };
  let their = await theirs.next();
  let firstSeq = 1;
  for await (const { records, seq, record } of recordsOf(journal)) {
    if (record.kind !== 'floor') {
      while (their.value.seq < seq && their.done !== true) {
        if (their.value.entry === null) firstSeq = their.value.seq;
        their = await theirs.next();
      }
      if (their.done !== true && their.value.entry === null) {
        firstSeq = their.value.seq;
        their = await theirs.next();
      }
      if (seq >= firstSeq && (their.done === true || !isSame(their.value, { seq, entry: record }))) break;
    }
    common = { records, seq };
  }
  while (their.done !== true && their.value.seq <= common.seq) their = await theirs.next();
  // A log that ends before this device's own begins has nothing in common with it.
  return their.done === true && their.value.seq < common.seq ? { records: 0, seq: 0 } : common;
}

/** The records of a journal, each with how many there are up to it and the seq that it reaches. */
async function* recordsOf(
  journal: Journal,
): AsyncGenerator<CommonLog & { record: LogRecord }, void, undefined> {
  let seq = 0;
  for (let records = 0; records < journal.length;) {
    for (const bytes of await readPage(journal, records)) {
      const record = decodeRecord(bytes);
      seq = record.kind === 'floor' ? record.firstSeq - 1 : seq + 1;
      records += 1;
      yield { records, seq, record };
    }
  }
}

/** What the relay has, in order; returns the end of its log. */
async function* entriesOf(
  read: (afterSeq: number) => Promise<readonly RelayFrame[]>,
): AsyncGenerator<Theirs, Theirs, undefined> {
  for (let at = 0; ;) {
    const before = at;
    for (const frame of await read(at)) {
      if (frame.type === 'gap' && frame.firstAvailableSeq > at) {
        at = frame.firstAvailableSeq - 1;
        yield { seq: frame.firstAvailableSeq, entry: null };
      } else if (frame.type === 'entries' && frame.firstSeq === at + 1) {
        for (const entry of frame.entries) {
          at += 1;
          yield { seq: at, entry };
        }
      } else if (frame.type === 'caught-up' && frame.headSeq <= at) {
        return { seq: frame.headSeq, entry: null };
      } else if (frame.type !== 'welcome' && frame.type !== 'head' && frame.type !== 'hint') {
        throw new ClientError('relay-misbehaved', 'the relay shows a log with a hole');
      }
    }
    if (at === before) throw new ClientError('relay-misbehaved', 'the relay shows a log that does not go on');
  }
}

function isSame(a: Theirs, b: Theirs): boolean {
  return (
    a.seq === b.seq &&
    a.entry?.kind === b.entry?.kind &&
    equalBytes(a.entry?.bytes ?? NONE, b.entry?.bytes ?? NONE)
  );
}

const NONE = new Uint8Array();
