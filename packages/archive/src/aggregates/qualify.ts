import type { FullPlan } from './plan.ts';
import type { Row } from './rows.ts';

/** Whether a number about these rows may be published: at least k contributors, and none of them makes up a sum. */
export function qualifies(plan: FullPlan, rows: readonly Row[]): boolean {
  if (rows.length < plan.k) return false;
  const totals = new Map<string | number, readonly number[]>();
  for (const { contributor, amounts } of rows) {
    const before = totals.get(contributor);
    totals.set(
      contributor,
      amounts.map((amount, measure) => amount + (before?.[measure] ?? 0)),
    );
  }
  if (totals.size < plan.k) return false;
  return plan.measures.every((_, measure) => {
    const ofEach = [...totals.values()].map((amounts) => amounts[measure] as number);
    return !isDominated(ofEach, plan.dominancePercent);
  });
}

/** The p% rule: the second largest contributor, who knows its own part, comes closer than p% to the largest. */
function isDominated(amounts: readonly number[], percent: number): boolean {
  let [sum, first, second] = [0, 0, 0];
  for (const amount of amounts) {
    sum += amount;
    if (amount > first) [first, second] = [amount, first];
    else if (amount > second) second = amount;
  }
  return (sum - first - second) * 100 < first * percent;
}
