import { toHex, type Primitives } from '@keytide/crypto-core';
import {
  changedHeads,
  EMPTY_MAP_ROOT,
  headsOf,
  mapRoot,
  updateMap,
  type DirectoryState,
} from '@keytide/key-directory';
import { Serial } from './serial.ts';

/**
 * The map of this device's own log, kept from one growth to the next, so that a growth costs what it changes and
 * not the whole map; built once after a start. Follows from states that the rules led to and from nothing that a
 * relay shows, so a relay that is refused leaves no trace in it.
 */
export class OwnMap {
  readonly #primitives: Primitives;
  /** By hash, of the newest root alone: two for each head. */
  readonly #nodes: Map<string, Uint8Array>;
  readonly #turns = new Serial();
  #root: Uint8Array = EMPTY_MAP_ROOT;
  #state: DirectoryState | null = null;

  /** `nodes` is empty, and the map's own from now on. */
  constructor(primitives: Primitives, nodes: Map<string, Uint8Array> = new Map()) {
    this.#primitives = primitives;
    this.#nodes = nodes;
  }

  /** The map's root as of a state of the log, each state that is asked for continuing the ones before: 32 bytes. */
  rootOf(state: DirectoryState): Promise<Uint8Array> {
    return this.#turns.run(() => this.#follow(state));
  }

  async #follow(state: DirectoryState): Promise<Uint8Array> {
    if (state === this.#state) return this.#root;
    // Whoever began to look before the log grew.
    if (state.size < (this.#state?.size ?? 0))
      return mapRoot(this.#primitives, headsOf(this.#primitives, state));
    const nodes = this.#nodes;
    const source = { readNode: (hash: Uint8Array) => Promise.resolve(nodes.get(toHex(hash)) ?? null) };
    const items = changedHeads(this.#primitives, this.#state, state);
    const { root, added, replaced } = await updateMap(this.#primitives, source, this.#root, items);
    for (const hash of replaced) nodes.delete(toHex(hash));
    for (const { hash, bytes } of added) nodes.set(toHex(hash), bytes);
    this.#root = root;
    this.#state = state;
    return root;
  }
}
