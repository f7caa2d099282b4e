import { decodeCbor, encodeCbor } from '../cbor.ts';
import { readArray, readKnown, readUint } from '../cbor-fields.ts';
import type { KeyStore } from '../key-store.ts';
import type { Random } from '../primitives.ts';
import { kyberPreKeyName, kyberUsesPrefix, signedPreKeyName, STOCK } from './names.ts';
import type { PreKeyStock, SignedPreKeyAge } from './plan.ts';
import type { Transaction } from './transaction.ts';

const VERSION = 1;
const MAX_STOCK_BYTES = 4096;

/** What is remembered of pre-keys besides their secrets. */
export interface StoredStock extends Pick<PreKeyStock, 'nextId' | 'signed'> {
  /** When the last bundle was made, or 0. */
  readonly bundleMs: number;
}

/**
 * Pre-key ids start at a random number, so that a device that lost its store hardly gives one again.
 * @throws CryptoError `malformed` for a damaged store
 */
export async function readStock(tx: Transaction, random: Random): Promise<StoredStock> {
  const stored = await tx.get(STOCK);
  if (stored === null) return { nextId: 1 + firstId(random), bundleMs: 0, signed: [] };
  const fields = readArray(decodeCbor(stored, MAX_STOCK_BYTES), 'stock', 4);
  readKnown(fields[0], 'stock version', VERSION);
  return {
    nextId: readUint(fields[1], 'next pre-key id'),
    bundleMs: readUint(fields[2], 'bundle time'),
    signed: readArray(fields[3], 'signed pre-keys').map((entry): SignedPreKeyAge => {
      const [id, createdMs] = readArray(entry, 'signed pre-key', 2);
      return { id: readUint(id, 'pre-key id'), createdMs: readUint(createdMs, 'creation time') };
    }),
  };
}

function firstId(random: Random): number {
  return random(3).reduce((sum, byte) => sum * 256 + byte, 0);
}

export function writeStock(tx: Transaction, stock: StoredStock): void {
  const signed = stock.signed.map(({ id, createdMs }) => [id, createdMs]);
  tx.put(STOCK, encodeCbor([VERSION, stock.nextId, stock.bundleMs, signed]));
}

/** Deletes a signed pre-key, the last resort that was made with it, and who has used that. */
export async function putSignedAway(
  tx: Transaction,
  store: Pick<KeyStore, 'names'>,
  id: number,
): Promise<void> {
  const uses = await store.names(kyberUsesPrefix(id));
  for (const name of [signedPreKeyName(id), kyberPreKeyName(id), ...uses]) tx.put(name, null);
}
