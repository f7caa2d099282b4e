/** An archive that was begun, by the name of its folder. */
export interface Begun {
  readonly name: string;
  /** The name of the one that it goes on from; `null` for a full one. */
  readonly previous: string | null;
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
  /** How many were made since the last full one. */
  readonly sinceFull: number;
  /** In the order in which they were made. */
  readonly pending: readonly Pending[];
}

/** Before the first archive. */
export const NEW_SERIES: Series = { current: null, last: null, told: null, sinceFull: 0, pending: [] };

/** Whether something was begun that is not over. */
export function hasWork({ current, pending }: Series): boolean {
  return current !== null || pending.length > 0;
}

/** `20260302T023000Z-full`, or `-since` for one that goes on from another. */
function nameAt(timeMs: number, isFull: boolean): string {
  const digits = new Date(timeMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${digits}-${isFull ? 'full' : 'since'}`;
}

/** A new one: full when there is none to go on from, or after so many that are not; 0: not by their number. */
export function begin(series: Series, timeMs: number, fullAfter: number): Series {
  const isFull = series.last === null || (fullAfter > 0 && series.sinceFull >= fullAfter);
  return {
    ...series,
    current: { name: nameAt(timeMs, isFull), previous: isFull ? null : series.last },
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

/** What was begun cannot become an archive: the next one goes on from the newest that the relay was told of. */
export function abandon(series: Series): Series {
  return { ...series, current: null, last: series.told };
}

/** One, and what goes on from it, is no archive to rely on: the next one makes up for them. */
export function distrust(series: Series, name: string): Series {
  const at = series.pending.findIndex((one) => one.name === name);
  return { ...abandon(series), pending: at === -1 ? series.pending : series.pending.slice(0, at) };
}

/** Nothing can be gone on from: the next one is full. */
export function startOver(series: Series): Series {
  return { ...series, current: null, last: null, told: null };
}

/** What became of one. Who tells the relay up to its end has told of all before it. */
export function settle(
  series: Series,
  name: string,
  { isEverywhere, isTold }: Pick<Pending, 'isEverywhere' | 'isTold'>,
): Series {
  const at = series.pending.findIndex((one) => one.name === name);
  // A copy that is made good later says nothing anew: the relay was told of a newer one meanwhile.
  const isNews = isTold && series.pending[at]?.isTold === false;
  const pending = series.pending.map((one, index) => ({
    ...one,
    isEverywhere: index === at ? isEverywhere : one.isEverywhere,
    isTold: one.isTold || (isTold && index <= at),
  }));
  return {
    ...series,
    told: isNews ? name : series.told,
    pending: pending.filter((one) => !one.isTold || !one.isEverywhere),
  };
}
