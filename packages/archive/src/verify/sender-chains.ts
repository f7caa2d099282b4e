import {
  acceptMessage,
  CryptoError,
  equalBytes,
  type CryptoErrorCode,
  type DeviceId,
  type EpochStatement,
  type MissingRun,
  type OpenedMessage,
} from '@keytide/crypto-core';

/** Messages of one sender that are not here. */
export interface MissingCounters extends MissingRun {
  readonly device: DeviceId;
  /** Whether there are as many entries in between whose sender is not known, because they cannot be read. */
  readonly isExplained: { readonly byUnreadable: boolean; readonly bySkipped: boolean };
}

/** Follows what each sender has counted (docs/spec/envelope.md, "Chain"). */
export interface SenderChains {
  /** An entry that cannot be read, or that a filter left out: it may be anybody's. */
  hide(kind: 'unreadable' | 'skipped'): void;
  /** Takes the next message: what is missing before it, or why it does not follow. */
  take(
    message: Pick<OpenedMessage, 'sender' | 'counter' | 'link' | 'previousLink'>,
  ): MissingCounters | CryptoErrorCode | null;
  /** Whether it is known that the next message follows. */
  wouldTake(message: Pick<OpenedMessage, 'sender' | 'counter' | 'link' | 'previousLink'>): boolean;
  /** A message that nothing can be said of: whatever follows may follow. */
  lose(sender: DeviceId): void;
  /** What a member has signed of each sender's last message, compared with what came. */
  close(closing: EpochStatement['closing']): {
    readonly missing: MissingCounters[];
    readonly other: DeviceId[];
  };
}

interface Head {
  readonly counter: number;
  readonly link: Uint8Array;
  readonly hidden: Hidden;
}

interface Hidden {
  readonly unreadable: number;
  readonly skipped: number;
}

/** @param isWhole whether the log begins here: else a sender may have begun before */
export function senderChains(isWhole: boolean): SenderChains {
  const heads = new Map<DeviceId, Head | 'unknown'>();
  /** Up to where a closing has named what is missing: it is told once. */
  const told = new Map<DeviceId, number>();
  const start = isWhole ? null : 'unknown';
  let hidden: Hidden = { unreadable: 0, skipped: 0 };

  function missing(device: DeviceId, from: number, to: number): MissingCounters {
    const head = heads.get(device);
    const then = head === undefined || head === 'unknown' ? { unreadable: 0, skipped: 0 } : head.hidden;
    const unreadable = hidden.unreadable - then.unreadable;
    const skipped = hidden.skipped - then.skipped;
    const count = to - from + 1;
    const isExplained = { byUnreadable: count <= unreadable, bySkipped: count <= unreadable + skipped };
    return { device, from, to, isExplained };
  }

  return {
    hide(kind) {
      hidden = { ...hidden, [kind]: hidden[kind] + 1 };
    },
    take({ sender, counter, link, previousLink }) {
      try {
        const accepted = acceptMessage(heads.get(sender) ?? start, { counter, link, previousLink });
        const gap = accepted.missing;
        const from = Math.max(gap?.from ?? 0, (told.get(sender) ?? -1) + 1);
        const found = gap === null || from > gap.to ? null : missing(sender, from, gap.to);
        heads.set(sender, { counter, link, hidden });
        return found;
      } catch (error) {
        if (error instanceof CryptoError) return error.code;
        throw error;
      }
    },
    wouldTake({ sender, ...message }) {
      const head = heads.get(sender) ?? start;
      if (head === 'unknown') return false;
      try {
        acceptMessage(head, message);
        return true;
      } catch (error) {
        if (error instanceof CryptoError) return false;
        throw error;
      }
    },
    lose: (sender) => void heads.set(sender, 'unknown'),
    close({ senders }) {
      const gaps: MissingCounters[] = [];
      const other: DeviceId[] = [];
      for (const { device, counter, link } of senders) {
        const head = heads.get(device) ?? start;
        if (head === 'unknown') continue;
        const last = Math.max(head?.counter ?? -1, told.get(device) ?? -1);
        if (counter > last) {
          gaps.push(missing(device, last + 1, counter));
          told.set(device, counter);
        } else if (head?.counter === counter && !equalBytes(link, head.link)) other.push(device);
      }
      return { missing: gaps, other };
    },
  };
}
