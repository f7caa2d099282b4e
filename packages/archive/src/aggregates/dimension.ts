/** An ordered, complete list of categories; its order decides which are merged with which. */
export interface CategoryDimension {
  readonly field: string;
  /** All there can be, whether or not any record has them; ordered without looking at the records. */
  readonly categories: readonly string[];
  /** One of `categories`, for values that are none of them; without it such a record is refused. */
  readonly other?: string;
}

/** Numbers cut into bins: below `cuts[0]`, from `cuts[i - 1]` to under `cuts[i]`, from the last cut on. Times are ms. */
export interface NumberDimension {
  readonly field: string;
  /** Ascending; one fewer than there are bins. */
  readonly cuts: readonly number[];
  /** One for each bin; made of the cuts where they are left out. */
  readonly labels?: readonly string[];
}

export type Dimension = CategoryDimension | NumberDimension;

/** The labels of all bins in order, as queries and tables name them. */
export function labelsOf(dimension: Dimension): readonly string[] {
  if ('categories' in dimension) return dimension.categories;
  const { cuts, labels } = dimension;
  if (labels !== undefined) return labels;
  const first = cuts[0];
  if (first === undefined) return ['all'];
  const between = cuts.slice(1).map((cut, index) => `${cuts[index]} to under ${cut}`);
  return [`under ${first}`, ...between, `${cuts[cuts.length - 1]} and over`];
}

/** How many bins there are. */
export function binCount(dimension: Dimension): number {
  return 'categories' in dimension ? dimension.categories.length : dimension.cuts.length + 1;
}

/** A function from a record's value to its bin; `null` for a value that the dimension does not declare. */
export function binFinder(dimension: Dimension): (value: unknown) => number | null {
  if ('cuts' in dimension) return (value) => (isNumber(value) ? cutsUpTo(dimension.cuts, value) : null);
  const bins = new Map(dimension.categories.map((category, bin) => [category, bin]));
  const other = dimension.other === undefined ? null : (bins.get(dimension.other) ?? null);
  return (value) => (typeof value === 'string' ? bins.get(value) : undefined) ?? other;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** How many cuts are not above the value, by halving. */
function cutsUpTo(cuts: readonly number[], value: number): number {
  let [low, high] = [0, cuts.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((cuts[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
