/**
 * Rounds whole numbers to multiples of `base` so that every sum of neighbours is off by less than `base`: what is
 * rounded is the running total. Sums of what it gives are the totals, so that nothing contradicts anything.
 */
export function roundTogether(values: readonly number[], base: number): readonly number[] {
  let [exact, rounded] = [0, 0];
  return values.map((value) => {
    const before = rounded;
    exact += value;
    rounded = Math.round(exact / base) * base;
    return rounded - before;
  });
}
