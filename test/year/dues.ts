import type { Ledger, Standing } from './ledger.ts';
import type { Phone } from './phone.ts';

/** What a device is owed, and since when it and somebody who can give it have both been there. */
export class Dues {
  readonly #ledger: Ledger;
  /** What people have asked for. */
  readonly #asked = new Map<Phone, ReadonlySet<number>>();
  /** Up to which epoch a device does not ask by itself again: it was told no. */
  readonly #refusedThrough = new Map<Phone, number>();
  #sinceMs = new Map<string, number>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Somebody asks for all that their phone lacks. */
  asks(phone: Phone, standing: Standing): void {
    this.#asked.set(phone, new Set(this.#ledger.mayAskFor(standing).map(({ epoch }) => epoch)));
  }

  /** A request has been granted, whether or not with all that it was for. */
  granted(phone: Phone): void {
    this.#asked.delete(phone);
  }

  refused(phone: Phone): void {
    this.#asked.delete(phone);
    this.#refusedThrough.set(phone, this.#ledger.newestEpoch);
  }

  /** Everybody who is there has been in step: answers who has gone for longer than `patienceMs` without what is theirs. */
  look(
    present: readonly { readonly phone: Phone; readonly standing: Standing; readonly canGive: boolean }[],
    nowMs: number,
    patienceMs: number,
  ): string[] {
    const givers = present.filter(({ canGive }) => canGive).map(({ standing }) => standing.device);
    const before = this.#sinceMs;
    this.#sinceMs = new Map();
    const late: string[] = [];
    for (const { phone, standing } of present)
      for (const { epoch, wasRecipient } of this.#ledger.mayAskFor(standing)) {
        const asksItself = wasRecipient && epoch > (this.#refusedThrough.get(phone) ?? 0);
        if (!asksItself && this.#asked.get(phone)?.has(epoch) !== true) continue;
        if (!givers.some((device) => device !== standing.device && this.#ledger.holds(device, epoch)))
          continue;
        const due = `${phone.name} epoch ${epoch}`;
        const sinceMs = before.get(due) ?? nowMs;
        this.#sinceMs.set(due, sinceMs);
        if (nowMs - sinceMs > patienceMs)
          late.push(`${due} was asked for, and not given since ${new Date(sinceMs).toISOString()}`);
      }
    return late;
  }
}
