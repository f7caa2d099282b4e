/** How many pairs of a message and a device showed what, period by period. */
export class Table {
  readonly #columns: string[] = [];
  readonly #counts = new Map<string, number[]>();

  column(name: string): void {
    if (this.#columns[this.#columns.length - 1] !== name) this.#columns.push(name);
  }

  add(row: string, count = 1): void {
    const counts = this.#counts.get(row) ?? [];
    this.#counts.set(row, counts);
    const place = this.#columns.length - 1;
    counts[place] = (counts[place] ?? 0) + count;
  }

  /** All that was ever counted in a row. */
  total(row: string): number {
    return (this.#counts.get(row) ?? []).reduce((sum, count) => sum + (count ?? 0), 0);
  }

  toString(): string {
    const rows = [...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const lines = [['', ...this.#columns, 'in all']];
    for (const [row, counts] of rows)
      lines.push([row, ...this.#columns.map((_, i) => String(counts[i] ?? '')), String(this.total(row))]);
    const widths =
      lines[0]?.map((_, i) => Math.max(...lines.map((line) => (line[i] as string).length))) ?? [];
    return lines
      .map((line) =>
        line
          .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
          .join('  '),
      )
      .join('\n');
  }
}
