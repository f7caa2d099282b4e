/** How many values a digit has. */
const RADIX = 16;

/** A record under its id, shared by all maps that hold it in this form. */
interface Leaf<Id, Value> {
  readonly id: Id;
  readonly value: Value;
}

/** A place for each value of the next digit of the id. */
type Branch<Id, Value> = readonly Node<Id, Value>[];
type Node<Id, Value> = Leaf<Id, Value> | Branch<Id, Value> | undefined;

/**
 * Records by id, in the order of their ids, never changed in place: `with` answers another map that shares all
 * but the way to one record, so what was held before stays as it was. Ids are lower-case hexadecimal of one
 * length, and branch by digit, so a record is log₁₆ n steps away; as many as an id has digits where somebody
 * chooses ids to begin alike.
 */
export class IdMap<Id extends string, Value> {
  readonly #root: Node<Id, Value>;
  readonly size: number;

  private constructor(root: Node<Id, Value>, size: number) {
    this.#root = root;
    this.size = size;
  }

  static empty<Id extends string, Value>(): IdMap<Id, Value> {
    return new IdMap<Id, Value>(undefined, 0);
  }

  get(id: Id): Value | undefined {
    let node = this.#root;
    for (let depth = 0; isBranch(node); depth += 1) node = node[digitOf(id, depth)];
    return node?.id === id ? node.value : undefined;
  }

  has(id: Id): boolean {
    return this.get(id) !== undefined;
  }

  /** This map with one more record, or another one in its place. */
  with(id: Id, value: Value): IdMap<Id, Value> {
    return new IdMap(put(this.#root, { id, value }, 0), this.has(id) ? this.size : this.size + 1);
  }

  /** The ids, in order. */
  keys(): Id[] {
    return this.#leaves(null).map(({ id }) => id);
  }

  /** The records, in the order of their ids. */
  values(): Value[] {
    return this.changedSince(null);
  }

  /** The records that `before`, from which this map was made, does not hold in this form. Skips what both share. */
  changedSince(before: IdMap<Id, Value> | null): Value[] {
    return this.#leaves(before).map(({ value }) => value);
  }

  #leaves(before: IdMap<Id, Value> | null): Leaf<Id, Value>[] {
    const found: Leaf<Id, Value>[] = [];
    if (this.#root !== undefined) collect(this.#root, before === null ? undefined : before.#root, found);
    return found;
  }
}

function put<Id extends string, Value>(
  node: Node<Id, Value>,
  leaf: Leaf<Id, Value>,
  depth: number,
): Node<Id, Value> {
  if (node === undefined || (!isBranch(node) && node.id === leaf.id)) return leaf;
  const branch: Node<Id, Value>[] = isBranch(node) ? node.slice() : alone(node, depth);
  const digit = digitOf(leaf.id, depth);
  branch[digit] = put(branch[digit], leaf, depth + 1);
  return branch;
}

function alone<Id extends string, Value>(leaf: Leaf<Id, Value>, depth: number): Node<Id, Value>[] {
  const branch = Array.from<Node<Id, Value>>({ length: RADIX });
  branch[digitOf(leaf.id, depth)] = leaf;
  return branch;
}

/** A leaf stands for any branch that it has been moved down into since. */
function collect<Id, Value>(
  node: Exclude<Node<Id, Value>, undefined>,
  before: Node<Id, Value>,
  found: Leaf<Id, Value>[],
): void {
  if (node === before) return;
  if (!isBranch(node)) return void found.push(node);
  const parts = isBranch(before) ? before : null;
  for (let digit = 0; digit < RADIX; digit += 1) {
    const child = node[digit];
    if (child !== undefined) collect(child, parts === null ? before : parts[digit], found);
  }
}

function isBranch<Id, Value>(node: Node<Id, Value>): node is Branch<Id, Value> {
  return Array.isArray(node);
}

/** The digit's value by its character code: `0` is 48, `a` is 97. */
function digitOf(id: string, depth: number): number {
  const code = id.charCodeAt(depth);
  return code < 97 ? code - 48 : code - 87;
}
