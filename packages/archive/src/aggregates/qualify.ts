import type { FullPlan } from './plan.ts';
import type { Row } from './rows.ts';

/**
 * Whether the numbers about these rows may be published: at least k contributors add to each of them, to the count as to
 * every sum, and none of them makes it up.
 */
export function qualifies(plan: FullPlan, rows: readonly Row[]): boolean {
  if (rows.length < plan.k) return false;
  const totals = new Map<string | number, number[]>();
  for (const { contributor, amounts } of rows) {
    const own = totals.get(contributor) ?? [0, ...amounts.map(() => 0)];
    for (const [number, amount] of [1, ...amounts].entries()) own[number] = (own[number] ?? 0) + amount;
    totals.set(contributor, own);
  }
  return [1, ...plan.measures].every((_, number) => {
    const parts = [...totals.values()].map((own) => own[number] as number).filter((part) => part > 0);
    return parts.length >= plan.k && !isDominated(parts, plan.dominancePercent);
  });
}

/** The p% rule: the second largest contributor, who knows its own part, comes closer than p% to the largest. */
function isDominated(parts: readonly number[], percent: number): boolean {
  let [sum, first, second] = [0, 0, 0];
  for (const part of parts) {
    sum += part;
    if (part > first) [first, second] = [part, first];
    else if (part > second) second = part;
  }
  return (sum - first - second) * 100 < first * percent;
}
