import type { DeviceStore, Ports } from '@keytide/client';

/** A process that ends at the n-th step (counted from 0) of giving a vault its share, or taking it away. */
export interface Crash {
  readonly at: number;
  readonly when: 'before' | 'after';
}

/** Store and ports of a process that crashes; `steps` counts what was begun. */
export function crashing(store: DeviceStore, ports: Ports, { at, when }: Crash) {
  const { lease } = store;
  if (lease === undefined) throw new Error('this store has no lease');
  const seen = { steps: 0, isDead: false };
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    const isHit = seen.steps === at;
    if (!seen.isDead) seen.steps += 1;
    if (isHit && when === 'before') seen.isDead = true;
    if (seen.isDead) throw new TypeError('the process has ended');
    const result = await work();
    if (isHit) seen.isDead = true;
    if (seen.isDead) throw new TypeError('the process has ended');
    return result;
  };
  const { vault, ticket } = lease;
  const crashed: DeviceStore = {
    ...store,
    lease: {
      vault: {
        get: (name) => vault.get(name),
        names: (prefix) => vault.names(prefix),
        write: (batch) => vault.write(batch),
        close: () => vault.close(),
        prove: (context) => vault.prove(context),
        get needsUnlockShare() {
          return vault.needsUnlockShare;
        },
        rekey: (share) => step(() => vault.rekey(share)),
      },
      ticket: {
        read: () => ticket.read(),
        write: (bytes) => step(() => ticket.write(bytes)),
        delete: () => step(() => ticket.delete()),
      },
    },
  };
  const crashedPorts: Ports = {
    ...ports,
    fetch: (input, init) => {
      const isShare = String(input).includes('/unlock-share');
      return isShare ? step(() => ports.fetch(input, init)) : ports.fetch(input, init);
    },
  };
  return { store: crashed, ports: crashedPorts, seen };
}
