/** An archive that was begun, by the name of its folder. */
export interface Begun {
  readonly name: string;
  /** The name of the one that it goes on from; `null` for a full one. */
  readonly previous: string | null;
  /** Whether it goes on from one that is not sound: then the relay is not told of it. */
  readonly isBehind: boolean;
}

/** An archive that is whole at the first destination, and not done with. */
export interface Pending extends Begun {
  /** Whether it was found whole at every destination. */
  readonly isEverywhere: boolean;
  /** Whether the relay was told, by it or by a later one. */
  readonly isTold: boolean;
}

/** The archives of an agent, as far as they have to be remembered. */
export interface Series {
  readonly current: Begun | null;
  /** What the next one goes on from; `null`: the next one is full. */
  readonly last: string | null;
  /** The newest that the relay was told of. */
  readonly told: string | null;
  /** One that is not sound, and that nothing has made up for yet; `null` where there is none. */
  readonly unsound: string | null;
  /** How many in a row were to make up for what the relay was not told of, and were not sound. */
  readonly failed: number;
  /** How many were made since that go on from it. */
  readonly behind: number;
  /** How many were made since the last full one. */
  readonly sinceFull: number;
  /** In the order in which they were made. */
  readonly pending: readonly Pending[];
}

/** Before the first archive. */
export const NEW_SERIES: Series = {
  ...{ current: null, last: null, told: null, sinceFull: 0, pending: [] },
  ...{ unsound: null, failed: 0, behind: 0 },
};

/** Whether something was begun that is not over. */
export function hasWork({ current, pending }: Series): boolean {
  return current !== null || pending.length > 0;
}

/** `20260302T023000Z-full`, or `-since` for one that goes on from another. */
function nameAt(timeMs: number, isFull: boolean): string {
  const digits = new Date(timeMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${digits}-${isFull ? 'full' : 'since'}`;
}

/**
 * A new one: full when there is none to go on from, or after so many that are not; 0: not by their number. Where one is
 * not sound, the disk may have failed, and it is made anew, from what the relay was told of on. What is in the log is not
 * sound the next time either, and each would be longer than the one before: so the others go on from it, and it is made
 * anew after 0, 1, 3, 7… of them. All together are never more than three times as long as the log.
 */
export function begin(series: Series, timeMs: number, fullAfter: number): Series {
  const { unsound, failed, behind, told } = series;
  const isAnew = unsound !== null && behind >= 2 ** (failed - 1) - 1;
  const last = isAnew ? told : series.last;
  const isFull = last === null || (fullAfter > 0 && series.sinceFull >= fullAfter);
  const isBehind = unsound !== null && !isAnew && !isFull;
  return {
    ...series,
    current: { name: nameAt(timeMs, isFull), previous: isFull ? null : last, isBehind },
    ...{ last, unsound: isBehind ? unsound : null, behind: isBehind ? behind + 1 : 0 },
    sinceFull: isFull ? 0 : series.sinceFull + 1,
  };
}

/** The one that was begun is whole. */
export function finish(series: Series): Series {
  const { current, pending } = series;
  if (current === null) return series;
  const whole = { ...current, isEverywhere: false, isTold: false };
  return { ...series, current: null, last: current.name, pending: [...pending, whole] };
}

/**
 * What was begun cannot become an archive: the next one goes on from the newest that the relay was told of, or, behind one
 * that is not sound, from the newest of all.
 */
export function abandon(series: Series): Series {
  return { ...series, current: null, last: series.unsound === null ? series.told : series.last };
}

/** Nothing can go on from the one that is not sound, as it is now: one that is made anew has this period as well. */
export function skip(series: Series): Series {
  return { ...series, behind: series.behind + 1 };
}

/** One is not sound: what goes on from it is not told of. */
export function refuse(series: Series, name: string): Series {
  const at = series.pending.findIndex((one) => one.name === name);
  const found = series.pending[at];
  if (found === undefined) return series;
  const others = series.pending.filter((one) => one.name !== name);
  if (found.isBehind) return { ...series, pending: others };
  const { current, failed } = series;
  return {
    ...series,
    ...{ unsound: name, failed: failed + 1, behind: 0 },
    current: current && { ...current, isBehind: true },
    pending: others.map((one, index) => (index < at ? one : { ...one, isBehind: true })),
  };
}

/** One, and what goes on from it, cannot be told of: the next one makes up for them. */
export function distrust(series: Series, name: string): Series {
  const at = series.pending.findIndex((one) => one.name === name);
  return { ...abandon(series), pending: at === -1 ? series.pending : series.pending.slice(0, at) };
}

/** Nothing can be gone on from: the next one is full. */
export function startOver(series: Series): Series {
  return { ...series, current: null, last: null, told: null, unsound: null, failed: 0, behind: 0 };
}

/** What became of one. Who tells the relay up to its end has told of all before it. */
export function settle(
  series: Series,
  name: string,
  { isEverywhere, isTold }: Pick<Pending, 'isEverywhere' | 'isTold'>,
): Series {
  const at = series.pending.findIndex((one) => one.name === name);
  // A copy that is made good later says nothing anew: the relay was told of a newer one meanwhile.
  const found = series.pending[at];
  const isNews = isTold && found?.isTold === false;
  const isGood = isNews || (isEverywhere && found?.isBehind === false);
  const pending = series.pending.map((one, index) => ({
    ...one,
    isEverywhere: index === at ? isEverywhere : one.isEverywhere,
    isTold: one.isTold || (isTold && index <= at),
  }));
  return {
    ...series,
    told: isNews ? name : series.told,
    failed: isGood ? 0 : series.failed,
    pending: pending.filter((one) => !(one.isTold || one.isBehind) || !one.isEverywhere),
  };
}
