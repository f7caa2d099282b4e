/** One written thing as a device shows it. */
export interface Item {
  readonly seq: number;
  /** Who wrote it, as the log proves. */
  readonly handle: string;
  /** Who wrote it, in which life of that device, as which one of that life: `ada/3/17`. */
  readonly label: string;
}

/** What devices said while they lived: their word that must hold whatever was killed since. */
export interface History {
  /** Labels that a device had acknowledged as durable. */
  readonly durable: Set<string>;
  /** What a device had shown at a seq. */
  readonly seen: Map<number, string>;
  /** What no device should ever have to say. */
  readonly troubles: string[];
}

/** Nothing said yet. */
export function emptyHistory(): History {
  return { durable: new Set(), seen: new Map(), troubles: [] };
}

/** Notes that a device showed `label` at `seq`; two devices must agree. */
export function noteSeen(history: History, seq: number, label: string): void {
  const before = history.seen.get(seq);
  if (before !== undefined && before !== label) {
    history.troubles.push(`seq ${seq} was shown as ${before} and as ${label}`);
  }
  history.seen.set(seq, label);
}

/** Everything in `items`, one device's final view, that breaks what was promised; empty when nothing does. */
export function contradictions(history: History, items: readonly Item[]): string[] {
  const problems: string[] = [...history.troubles];
  const bySeq = items.toSorted((a, b) => a.seq - b.seq);
  const labels = new Map(bySeq.map(({ seq, label }) => [label, seq]));
  for (const label of history.durable) if (!labels.has(label)) problems.push(`lost: ${label}`);
  for (const [seq, label] of history.seen) {
    if (labels.get(label) !== seq) problems.push(`moved: ${label} was at ${seq}`);
  }
  const next = new Map<string, { life: number; n: number }>();
  for (const [index, { seq, handle, label }] of bySeq.entries()) {
    if (bySeq[index - 1]?.seq === seq) problems.push(`two items at ${seq}`);
    if (labels.get(label) !== seq) problems.push(`twice: ${label}`);
    const { writer, life, n } = partsOf(label);
    if (writer !== handle) problems.push(`${label} was written by ${handle}`);
    const last = next.get(writer) ?? { life: -1, n: -1 };
    const follows = life === last.life ? n === last.n + 1 : life > last.life && n === 0;
    if (!follows) problems.push(`out of order: ${label} after ${last.life}/${last.n}`);
    next.set(writer, { life, n });
  }
  return problems;
}

function partsOf(label: string): { writer: string; life: number; n: number } {
  const [writer, life, n] = label.split('/');
  return { writer: String(writer), life: Number(life), n: Number(n) };
}
