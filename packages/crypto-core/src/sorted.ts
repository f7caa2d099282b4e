/** A sorted copy. Engines of phones still in use have no `toSorted` (ECMAScript 2023). */
export function sorted<T>(items: Iterable<T>, compare?: (a: T, b: T) => number): T[] {
  // The copy is what the rule asks for.
  // oxlint-disable-next-line unicorn/no-array-sort
  return [...items].sort(compare);
}
