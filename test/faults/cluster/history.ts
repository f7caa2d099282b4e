import { toHex, type DeviceId } from '@keytide/crypto-core';

/** Everything that devices did and saw, in the order in which one observer learned of it. */
export interface History {
  /** A device is about to send something with this content. */
  invoked(content: Uint8Array): void;
  acknowledged(content: Uint8Array, seq: number): void;
  /** A device was shown an entry. */
  saw(device: DeviceId, seq: number, content: Uint8Array): void;
  /** A device's removal or log-out was acknowledged: nothing that is sent from now on may reach it. */
  barred(device: DeviceId): void;
  /** How much was acknowledged. */
  acknowledgements(): number;
  /** What of it no relay may do; `log` is what the database has in the end, `complete` who has to have all of it. */
  contradictions(log: RelayLog, complete: readonly DeviceId[]): string[];
}

/** The group's log as the database has it: entries in hex, behind a byte for their kind. */
interface RelayLog {
  readonly seqs: readonly number[];
  readonly entries: readonly string[];
}

/** An empty history. */
export function createHistory(): History {
  let moment = 0;
  const invokedAt = new Map<string, number>();
  const acks = new Map<string, number>();
  const barredAt = new Map<DeviceId, number>();
  const seen = new Map<DeviceId, { seq: number; content: string }[]>();

  return {
    invoked(content) {
      const key = toHex(content);
      if (!invokedAt.has(key)) invokedAt.set(key, (moment += 1));
    },
    acknowledged: (content, seq) => void acks.set(toHex(content), seq),
    saw(device, seq, content) {
      const mine = seen.get(device) ?? [];
      seen.set(device, mine);
      mine.push({ seq, content: toHex(content) });
    },
    barred: (device) => void barredAt.set(device, (moment += 1)),
    acknowledgements: () => acks.size,
    contradictions(log, complete) {
      const wrong: string[] = [];
      const { seqs, entries } = log;
      const bySeq = new Map(entries.map((entry, index) => [seqs[index], entry.slice(2)]));
      seqs.forEach((seq, index) => {
        if (seq !== index + 1) wrong.push(`the log has ${seq} at place ${index + 1}`);
      });
      if (new Set(bySeq.values()).size !== entries.length) wrong.push('something is in the log twice');
      for (const [content, seq] of acks)
        if (bySeq.get(seq) !== content) wrong.push(`acknowledged at ${seq}, and not there`);
      for (const [device, mine] of seen) {
        const who = device.slice(0, 4);
        mine.forEach(({ seq, content }, index) => {
          if (seq !== index + 1) wrong.push(`${who} was shown ${seq} after ${index}`);
          if (bySeq.get(seq) !== content) wrong.push(`${who} was shown something else at ${seq}`);
          if ((invokedAt.get(content) ?? 0) > (barredAt.get(device) ?? Infinity))
            wrong.push(`${who} was shown ${seq}, which was sent after it was barred`);
        });
      }
      for (const device of complete)
        if (seen.get(device)?.length !== entries.length)
          wrong.push(`${device.slice(0, 4)} was shown ${seen.get(device)?.length} of ${entries.length}`);
      return wrong.slice(0, 20);
    },
  };
}
