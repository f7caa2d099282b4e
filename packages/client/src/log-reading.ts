import { sorted, type DeviceId, type Primitives } from '@keytide/crypto-core';
import type { DirectoryReplica } from './directory-replica.ts';
import { grantAt, wipesIn, type GrantRecord, type WipeOrder } from './entitlement.ts';

/** What requests are weighed by that is in entries of the membership log, read once for each size of it. */
export class LogReading {
  readonly #primitives: Primitives;
  readonly #directory: Pick<DirectoryReplica, 'state' | 'size' | 'wires'>;
  #size = -1;
  #grants: ReadonlyMap<DeviceId, readonly GrantRecord[]> = new Map();
  #wipes: readonly WipeOrder[] = [];

  constructor(primitives: Primitives, directory: Pick<DirectoryReplica, 'state' | 'size' | 'wires'>) {
    this.#primitives = primitives;
    this.#directory = directory;
  }

  /** The grants to a device, in their order. */
  grantsTo(device: DeviceId): readonly GrantRecord[] {
    this.#read();
    return this.#grants.get(device) ?? [];
  }

  /** Every order to wipe. */
  get wipes(): readonly WipeOrder[] {
    this.#read();
    return this.#wipes;
  }

  #read(): void {
    const { state, size } = this.#directory;
    if (size === this.#size) return;
    const wireAt = (index: number): Uint8Array => this.#directory.wires(index, index + 1)[0] as Uint8Array;
    const grants = new Map<DeviceId, GrantRecord[]>();
    for (const index of sorted([...state.grants.values()], (a, b) => a - b)) {
      const grant = grantAt(this.#primitives, wireAt, index);
      if (grant === null) continue;
      const others = grants.get(grant.device);
      if (others === undefined) grants.set(grant.device, [grant]);
      else others.push(grant);
    }
    this.#grants = grants;
    this.#wipes = wipesIn(this.#primitives, state, wireAt);
    this.#size = size;
  }
}
