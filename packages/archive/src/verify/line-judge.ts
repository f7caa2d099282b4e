import {
  concatBytes,
  CryptoError,
  EMPTY_WINDOW,
  equalBytes,
  leafHash,
  nextWindow,
  parseEnvelopeHeader,
  parseEpochStatement,
  unsealMessage,
  verifyRuns,
  type DeviceId,
  type OpenedMessage,
  type RunVerdict,
  type UnverifiedMessage,
} from '@keytide/crypto-core';
import { isActive, type DirectoryState, type Role } from '@keytide/key-directory';
import { fits, type ArchiveFilter } from '../container/filter.ts';
import { partsOf } from './segments.ts';
import type { SegmentLine } from '../container/segment-line.ts';
import { filteredOf } from '../export/lines.ts';
import type { Check } from './check.ts';
import type { CheckedEpoch, CheckedGroup } from './completeness.ts';
import type { FindingCode } from './finding.ts';
import type { OpenedEpochs } from './opened-epochs.ts';
import { senderChains, type MissingCounters } from './sender-chains.ts';

/** Holds lines against their envelopes, in the order of the log. What is wrong is a finding. */
export interface LineJudge {
  /** A line, and the leaf at its seq. */
  take(line: SegmentLine, leaf: Uint8Array): void;
  /** A statement, as it travelled. */
  pass(seq: number, wire: Uint8Array): void;
  /** An entry that a filter left out. */
  leaveOut(): void;
  /** A stretch that is not opened. */
  skip(): void;
  /** Nothing comes any more. */
  end(): void;
}

interface JudgeOptions {
  readonly group: CheckedGroup;
  readonly epochs: OpenedEpochs;
  readonly states: readonly DirectoryState[];
  readonly filter: ArchiveFilter | null;
}

type MessageLine = Extract<SegmentLine, { kind: 'message' }>;
/** Why a line cannot be held against its envelope. */
interface Fault {
  readonly code: 'key-missing' | 'epoch-before' | 'message-mismatch';
  readonly detail: string;
}
/** What waits for the end of its window. */
type Waiting =
  | {
      readonly line: SegmentLine;
      readonly message: UnverifiedMessage | Fault;
      readonly epoch: CheckedEpoch | null;
    }
  | { readonly closes: Uint8Array; readonly epoch: CheckedEpoch }
  | 'left out';

const level = 'decryption';
const ENVELOPE = Uint8Array.of(0);
const NOTHING = new Uint8Array();
/** Codes of what nobody could read who lacked a key. */
const KEYLESS: ReadonlySet<string> = new Set([
  ...['ask-an-admin', 'key-not-yet-arrived', 'sealing-key-expired', 'expired-by-policy'],
]);

/** A judge of a group's lines, from the first on. */
export function lineJudge(check: Check, options: JudgeOptions): LineJudge {
  const { primitives, findings } = check;
  const { group, epochs, states, filter } = options;
  const { group: id, before } = group.archived;
  const newest = states.at(-1) as DirectoryState;
  const files = group.segments.map(({ stretch }) => ({ ...stretch, file: partsOf(id, stretch).age }));
  /** Whether everything from the log's first entry on was judged: then all was judged as a device does. */
  let isWhole = before.size === 0;
  let chains = senderChains(isWhole);
  let window = EMPTY_WINDOW;
  let waiting: Waiting[] = [];
  let current = group.epochs.find(({ seq }) => seq === 0) ?? null;
  let nextEpoch = current === null ? 0 : 1;
  const stateOf = new Map(group.epochs.map(({ statement, state }) => [statement.epoch, state]));

  function found(code: FindingCode, seq: number, detail: string | null = null): void {
    const file = files.find(({ first, last }) => seq >= first && seq <= last)?.file ?? null;
    findings.add(level, code, { file, group: id, seq, detail });
  }

  function enter(sizeBytes: number): void {
    window = nextWindow(window, sizeBytes);
    if (window.entries === 1) settle();
  }

  /** Decides what waits: all of a window, so the newest signature of a run speaks for it. */
  function settle(): void {
    const settled = waiting;
    waiting = [];
    const messages = settled.flatMap((one) =>
      typeof one === 'object' && 'line' in one && !isFault(one.message) ? [one.message] : [],
    );
    const verdicts = verifyRuns(messages).values();
    for (const one of settled) {
      if (one === 'left out') chains.hide('skipped');
      else if ('closes' in one) close(one.closes, one.epoch);
      else {
        const verdict = isFault(one.message) ? one.message : (verdicts.next().value as RunVerdict);
        if (one.line.kind === 'unreadable') judgeUnreadable(one.line, verdict, one.epoch);
        else judgeMessage(one.line, verdict, one.epoch);
      }
    }
  }

  function close(wire: Uint8Array, { seq, state }: CheckedEpoch): void {
    const { author, closing } = parseEpochStatement(primitives, wire);
    const { missing, other } = chains.close(closing);
    for (const gap of missing) tellMissing(gap, seq);
    if (other.length > 0) group.dispute(level, { device: author, seq, state });
  }

  function tellMissing({ device, from, to, isExplained }: MissingCounters, seq: number): void {
    const member = newest.devices.get(device)?.member;
    // A filter for members alone leaves nothing out of theirs.
    const { members, ...others } = filter ?? {};
    const isTheirs =
      Object.keys(others).length === 0 && member !== undefined && members?.includes(member) === true;
    const detail = `${device} ${from}-${to}`;
    if (!isExplained.bySkipped) found('messages-missing', seq, detail);
    else if (isTheirs && !isExplained.byUnreadable) found('filter-exceeded', seq, detail);
  }

  function judgeUnreadable(
    { seq, code }: Extract<SegmentLine, { kind: 'unreadable' }>,
    verdict: RunVerdict | Fault,
    epoch: CheckedEpoch | null,
  ): void {
    chains.hide('unreadable');
    if (isFault(verdict)) {
      if (verdict.code === 'message-mismatch' && verdict.detail === 'epoch')
        found(verdict.code, seq, 'epoch');
    } else if (typeof verdict !== 'string') {
      if (KEYLESS.has(code)) found('readable', seq, code);
      // Whoever could read it had no reason to refuse it.
      else if (isWhole && counts(verdict, epoch)) found('message-mismatch', seq, code);
    }
  }

  /** Whether an authentic message is one to every device that can read it. */
  function counts(message: OpenedMessage, epoch: CheckedEpoch | null): boolean {
    const { size, root } = message.heads.directory;
    const state = states[size - 1];
    return (
      roleOf(message.sender, epoch) !== undefined &&
      state !== undefined &&
      equalBytes(state.root, root) &&
      chains.wouldTake(message)
    );
  }

  function roleOf(sender: DeviceId, epoch: CheckedEpoch | null): Role | undefined {
    const device = epoch?.state.devices.get(sender);
    return device?.revokedAt === null ? epoch?.state.members.get(device.member)?.role : undefined;
  }

  function judgeMessage(line: MessageLine, verdict: RunVerdict | Fault, epoch: CheckedEpoch | null): void {
    const { seq } = line;
    if (typeof verdict === 'string' || isFault(verdict)) {
      chains.lose(line.sender);
      if (typeof verdict === 'string') found('not-authentic', seq, verdict);
      else found(verdict.code, seq, verdict.detail);
      return;
    }
    const other = differenceOf(line, verdict, epoch);
    if (other !== null) found('message-mismatch', seq, other);
    if (filter !== null && !fits(filter, filteredOf(line))) found('filter-mismatch', seq);
    const result = chains.take(verdict);
    if (typeof result === 'string') found('chain-mismatch', seq, result);
    else if (result !== null) tellMissing(result, seq);
    const { size, root } = verdict.heads.directory;
    const state = states[size - 1];
    if (state === undefined && isActive(newest, verdict.sender)) found('membership-cut', seq, String(size));
    else if (state !== undefined && !equalBytes(state.root, root))
      found('membership-fork', seq, String(size));
    group.hear({ ...verdict.heads.group, device: verdict.sender, seq, state: knownTo(line, state) });
  }

  /** The membership log that a sender knew: as far as it says, and at least as far as its epoch's statement does. */
  function knownTo({ epoch }: MessageLine, said: DirectoryState | undefined): DirectoryState | undefined {
    const sealed = epoch === null ? undefined : stateOf.get(epoch);
    return said !== undefined && sealed !== undefined && sealed.size > said.size ? sealed : said;
  }

  /** What the line says that its envelope does not. */
  function differenceOf(
    line: MessageLine,
    message: OpenedMessage,
    epoch: CheckedEpoch | null,
  ): string | null {
    if (line.sender !== message.sender) return 'sender';
    if (line.member !== newest.devices.get(message.sender)?.member) return 'member';
    if (line.counter !== message.counter) return 'counter';
    if (!equalBytes(line.channel, message.channel)) return 'channel';
    if (!equalBytes(line.payload, message.payload)) return 'content';
    return line.role === roleOf(message.sender, epoch) ? null : 'role';
  }

  function unsealed({ epoch, envelope }: SegmentLine): UnverifiedMessage | Fault {
    if (epoch !== namedIn(envelope)) return { code: 'message-mismatch', detail: 'epoch' };
    const keys = epoch === null ? null : epochs.keysOf(epoch);
    if (keys === null) return { code: 'key-missing', detail: String(epoch) };
    if (keys === 'before') return { code: 'epoch-before', detail: String(epoch) };
    try {
      return unsealMessage(keys, envelope);
    } catch (error) {
      if (error instanceof CryptoError) return { code: 'message-mismatch', detail: error.code };
      throw error;
    }
  }

  /** Statements that were passed over count as well. */
  function advance(throughSeq: number): void {
    for (let next = group.epochs[nextEpoch]; next !== undefined && next.seq <= throughSeq;) {
      current = next;
      nextEpoch += 1;
      next = group.epochs[nextEpoch];
    }
  }

  return {
    take(line, leaf) {
      advance(line.seq);
      enter(line.envelope.length);
      if (!equalBytes(leafHash(primitives, concatBytes(ENVELOPE, line.envelope)), leaf))
        found('line-mismatch', line.seq);
      waiting.push({ line, message: unsealed(line), epoch: current });
    },
    pass(seq, wire) {
      enter(wire.length);
      advance(seq);
      if (current?.seq === seq) waiting.push({ closes: wire, epoch: current });
    },
    leaveOut() {
      enter(NOTHING.length);
      waiting.push('left out');
    },
    skip() {
      settle();
      isWhole = false;
      chains = senderChains(isWhole);
      window = EMPTY_WINDOW;
    },
    end: settle,
  };
}

/** The epoch that an envelope names; `null` where it is none. */
function namedIn(envelope: Uint8Array): number | null {
  try {
    return parseEnvelopeHeader(envelope).epoch;
  } catch (error) {
    if (error instanceof CryptoError) return null;
    throw error;
  }
}

function isFault(result: UnverifiedMessage | RunVerdict | Fault): result is Fault {
  return typeof result === 'object' && 'code' in result;
}
