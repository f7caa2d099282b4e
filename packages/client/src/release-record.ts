import { decodeCbor, encodeCbor, toHex, type GroupId, type KeyStore } from '@keytide/crypto-core';

/** Statements of exports and deletions (docs/spec/release.md), as they travelled. */
export interface ReleaseWires {
  readonly exported: readonly Uint8Array[];
  readonly deleted: readonly Uint8Array[];
}

/** How many of each are kept. */
const MOST = 1_000;
const MAX_BYTES = 2 * 1024 * 1024;

/** The statements that this device has once verified: what a relay has shown, it cannot take back. */
export async function keptReleases(keys: KeyStore, group: GroupId): Promise<ReleaseWires> {
  const stored = await keys.get(nameOf(group));
  if (stored === null) return { exported: [], deleted: [] };
  const [exported, deleted] = decodeCbor(stored, MAX_BYTES) as [Uint8Array[], Uint8Array[]];
  return { exported, deleted };
}

/** Keeps these in place of what was kept, each list in its order: of too many, the last ones. */
export async function keepReleases(keys: KeyStore, group: GroupId, wires: ReleaseWires): Promise<void> {
  const value = encodeCbor([newest(wires.exported), newest(wires.deleted)]);
  const before = await keys.get(nameOf(group));
  if (before !== null && toHex(before) === toHex(value)) return;
  await keys.write([{ name: nameOf(group), value }]);
}

function newest(wires: readonly Uint8Array[]): Uint8Array[] {
  return wires.slice(-MOST);
}

/** `releases/GROUP` in the key store: CBOR `[[export statement, …], [deletion statement, …]]`. */
function nameOf(group: GroupId): string {
  return `releases/${group}`;
}
