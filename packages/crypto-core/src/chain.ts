import { equalBytes } from './bytes.ts';
import type { OpenedMessage } from './unseal.ts';
import { CryptoError } from './errors.ts';

/** The last accepted message of one sender; `null`: it has sent nothing yet. `link` has 32 bytes. */
export type SenderHead = { readonly counter: number; readonly link: Uint8Array } | null;

/** Counters of a sender that were never seen, both ends included. */
export interface MissingRun {
  readonly from: number;
  readonly to: number;
}

/** The sender's new head, and what was skipped on the way to it, which the application must be told. */
export interface Acceptance {
  readonly head: Exclude<SenderHead, null>;
  readonly missing: MissingRun | null;
}

/**
 * Decides whether an opened message continues its sender's chain (docs/spec/envelope.md). Pure: the caller
 * keeps one head per group and sender, and stores the new one together with the message.
 * @param head `'unknown'`: no start is known for this sender, so any message can be the start
 * @throws CryptoError `replayed` (the head itself again), `out-of-order` (older than the head), `chain-broken`
 * (names another predecessor than the head, or is a second message with the head's counter)
 */
export function acceptMessage(
  head: SenderHead | 'unknown',
  message: Pick<OpenedMessage, 'counter' | 'link' | 'previousLink'>,
): Acceptance {
  const { counter, link, previousLink } = message;
  const isFirst = previousLink.every((byte) => byte === 0);
  if (isFirst !== (counter === 0)) throw broken('only the first message has nothing before it');
  const accepted = { counter, link };
  if (head === 'unknown') return { head: accepted, missing: null };

  const last = head?.counter ?? -1;
  if (counter < last) throw new CryptoError('out-of-order', 'older than the last message of this sender');
  if (head !== null && counter === last) {
    if (equalBytes(link, head.link)) throw new CryptoError('replayed', 'this message was accepted before');
    throw broken('two messages of this sender have one counter');
  }
  if (head !== null && counter === last + 1 && !equalBytes(previousLink, head.link))
    throw broken('does not follow the last message of this sender');
  return { head: accepted, missing: counter === last + 1 ? null : { from: last + 1, to: counter - 1 } };
}

function broken(message: string): CryptoError {
  return new CryptoError('chain-broken', message);
}
