import { equalBytes } from './bytes.ts';
import type { DeviceId } from './ids.ts';
import type { BodyFault } from './message-body.ts';
import { claims, isSigned, openedFrom, type OpenedMessage, type UnverifiedMessage } from './unseal.ts';

/** What an unverified message turned out to be: authentic, or the code of the reason why it is refused. */
export type RunVerdict = OpenedMessage | 'bad-signature' | BodyFault;

/**
 * Decides which messages are authentic (docs/spec/envelope.md, "Authenticity"): a message is, if its own
 * signature is right, or if the next message of its sender names it and is authentic. So one signature, the
 * newest, is checked for each run of messages that name one another; only where it is wrong, the one before.
 * @param messages in the log's order; of one group, all in one window of its log; of any senders, epochs, channels
 * @returns one verdict a message, in the same order
 */
export function verifyRuns(messages: readonly UnverifiedMessage[]): RunVerdict[] {
  const verdicts = new Array<RunVerdict>(messages.length);
  const newest = new Map<DeviceId, number>();
  /** For each message, the one of its sender before it; -1 for the first. */
  const before = messages.map((message, index) => {
    const { claimedSender } = message;
    const previous = newest.get(claimedSender) ?? -1;
    newest.set(claimedSender, index);
    return previous;
  });
  for (let last of newest.values()) {
    let vouched = false;
    for (let next: UnverifiedMessage | null = null; last >= 0; last = before[last] as number) {
      const message = messages[last] as UnverifiedMessage;
      vouched = (vouched && next !== null && continuesRun(message, next)) || isSigned(message);
      verdicts[last] = vouched ? openedFrom(message) : 'bad-signature';
      next = message;
    }
  }
  return verdicts;
}

/** A message and whatever its receiver wants to keep with it. */
export interface Noted<M, Note> {
  readonly message: M;
  readonly note: Note;
}

/**
 * One sender's messages at the end of what has been received that were refused for their signatures and name
 * one another. The sender's next message can still vouch for them.
 */
export type Unvouched<Note> = readonly Noted<UnverifiedMessage, Note>[];

/** What a verdict changes: messages that were refused before and are authentic now, oldest first. */
export interface Settlement<Note> {
  readonly admitted: readonly Noted<OpenedMessage, Note>[];
  readonly unvouched: Unvouched<Note>;
}

/**
 * Carries one sender's refused messages from one `verifyRuns` to the next, so that the verdicts depend on the
 * log alone and not on the portions in which it came. Pure; call it for each message in the log's order, and
 * start with none at the start of each window.
 */
export function settleRun<Note>(
  unvouched: Unvouched<Note>,
  next: Noted<UnverifiedMessage, Note>,
  verdict: RunVerdict,
): Settlement<Note> {
  const last = unvouched[unvouched.length - 1];
  const run = last !== undefined && continuesRun(last.message, next.message) ? unvouched : [];
  if (verdict === 'bad-signature') return { admitted: [], unvouched: [...run, next] };
  const admitted = run.flatMap(({ message, note }) => {
    const opened = openedFrom(message);
    return typeof opened === 'string' ? [] : [{ message: opened, note }];
  });
  return { admitted, unvouched: [] };
}

/** Whether `next` names `message` as the one before it: same sender and group, next counter, its link. */
function continuesRun(message: UnverifiedMessage, next: UnverifiedMessage): boolean {
  const { group, counter, link, body } = message[claims];
  const { group: nextGroup, counter: nextCounter, body: nextBody } = next[claims];
  return (
    nextCounter === counter + 1 &&
    typeof body !== 'string' &&
    typeof nextBody !== 'string' &&
    message.claimedSender === next.claimedSender &&
    group === nextGroup &&
    equalBytes(nextBody.previousLink, link)
  );
}
