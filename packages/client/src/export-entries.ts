import { attachmentsIn, attachmentsInPayload, type SourceEntry } from '@keytide/archive';
import { EMPTY_WINDOW, nextWindow, type CborValue } from '@keytide/crypto-core';
import type { GroupEntry } from '@keytide/relay-protocol';
import type { ClientCore } from './client-core.ts';
import { decodeRecord, type LogRecord } from './entry.ts';
import type { EpochRing, EpochSource } from './epoch-ring.ts';
import { ClientError } from './errors.ts';
import type { Outcome } from './group-replica.ts';
import { readPage } from './journal.ts';

/** An entry whose window is not over: its sender's next message in it may still vouch for it. */
interface Held {
  readonly seq: number;
  readonly entry: GroupEntry;
}

/** What entries are exported of. */
type Exporting = Pick<ClientCore, 'replica' | 'judge' | 'lostTimes'> & {
  readonly epochs: Pick<EpochRing, 'statements' | 'keysOf'>;
  readonly parts: Pick<ClientCore['parts'], 'journal' | 'directory'>;
  readonly sync: Pick<ClientCore['sync'], 'assertNotOver'>;
};

/** What is exported was decided before: there is nothing that the relay would have to be asked. */
const NOBODY: EpochSource = { canAsk: () => false, box: async () => null, pullDirectory: async () => {} };

/**
 * The entries of a stretch of the group's log as this device shows them, each once and in order: decided anew from the
 * journal, in memory that does not grow with it. The running client is not touched; what it lets go of meanwhile by the
 * retention window is over here as well.
 * @throws ClientError `source-changed` when the relay lost entries meanwhile, `closed`, `wiped`, `locked`
 */
export async function* exportedEntries(
  core: Exporting,
  { fromSeq, throughSeq }: { readonly fromSeq: number; readonly throughSeq: number },
): AsyncGenerator<SourceEntry, void> {
  const { journal } = core.parts;
  const { lostTimes } = core;
  const replica = core.replica.fresh(NOBODY);
  const outcomes = new Map<number, Outcome>();
  let window = EMPTY_WINDOW;
  let held: Held[] = [];
  let seq = 0;

  function* letGo(): Generator<SourceEntry, void> {
    for (const one of held)
      if (one.seq >= fromSeq) yield sourceEntry(core, one, outcomes.get(one.seq) as Outcome);
    held = [];
  }

  while (seq < throughSeq) {
    const page = (await readPage(journal, replica.records)).map(decodeRecord);
    core.sync.assertNotOver();
    if (core.lostTimes !== lostTimes || page.length === 0)
      throw new ClientError('source-changed', 'the relay lost entries while they were exported');
    const records = portionOf(page, throughSeq - seq);
    // Before: a key that comes meanwhile has not opened what was decided without it.
    const keyless = keylessEpochs(core.epochs);
    for await (const outcome of replica.process(records))
      outcomes.set(outcome.seq, forWantOfAKey(outcome, keyless));
    for (const record of records) {
      if (record.kind === 'floor') {
        yield* letGo();
        window = EMPTY_WINDOW;
        seq = record.firstSeq - 1;
        continue;
      }
      window = nextWindow(window, record.bytes.length);
      if (window.entries === 1) yield* letGo();
      seq += 1;
      held.push({ seq, entry: record });
    }
    const [first] = held;
    for (const known of outcomes.keys()) if (known < (first?.seq ?? Infinity)) outcomes.delete(known);
  }
  yield* letGo();
}

/** The epochs whose keys are not here, for whatever reason. */
function keylessEpochs(epochs: Exporting['epochs']): ReadonlySet<number> {
  const numbers = epochs.statements.map(({ epoch }) => epoch);
  return new Set(numbers.filter((epoch) => typeof epochs.keysOf(epoch) === 'string'));
}

/**
 * A box that does not open is its sender's or the relay's doing, and says nothing of the messages of its epoch, which
 * others can read: they are no garbage that might as well be forgotten.
 */
function forWantOfAKey(outcome: Outcome, keyless: ReadonlySet<number>): Outcome {
  if (outcome.kind !== 'unreadable' || outcome.code !== 'tampered') return outcome;
  return outcome.epoch !== null && keyless.has(outcome.epoch)
    ? { ...outcome, code: 'key-not-yet-arrived' }
    : outcome;
}

/** A floor by itself, or so many entries at most. */
function portionOf(page: readonly LogRecord[], most: number): readonly LogRecord[] {
  const floor = page.findIndex(({ kind }) => kind === 'floor');
  return floor === 0 ? page.slice(0, 1) : page.slice(0, Math.min(most, floor === -1 ? Infinity : floor));
}

function sourceEntry(core: Exporting, { seq, entry }: Held, outcome: Outcome): SourceEntry {
  if (entry.kind === 'statement') return { kind: 'statement', seq, wire: entry.bytes };
  const envelope = entry.bytes;
  const { epoch } = outcome;
  if (outcome.kind !== 'message') {
    const code = outcome.kind === 'unreadable' ? outcome.code : 'expired-by-policy';
    return { kind: 'unreadable', seq, envelope, epoch, code };
  }
  const judged = core.judge(outcome, 'judge');
  if (judged === null) return { kind: 'unreadable', seq, envelope, epoch, code: 'expired-by-policy' };
  const { sender, counter, channel, payload } = outcome.message;
  const device = core.parts.directory.state.devices.get(sender);
  if (device === undefined) return { kind: 'unreadable', seq, envelope, epoch, code: 'device-not-certified' };
  return {
    ...{ kind: 'message', seq, envelope, epoch: outcome.epoch, sender, member: device.member },
    ...{ role: outcome.role, counter, channel, payload, invalid: judged.code },
    // Also those of a message that counts for nothing here: a newer build of the application may make something of it.
    attachments:
      judged.operation === null
        ? attachmentsInPayload(payload)
        : attachmentsIn(judged.operation.body as CborValue),
  };
}
