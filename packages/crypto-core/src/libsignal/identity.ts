import { IdentityKeyPair } from '@signalapp/libsignal-client';
import { decodeCbor, encodeCbor } from '../cbor.ts';
import { readArray, readBytes, readKnown, readUint } from '../cbor-fields.ts';
import type { Random } from '../primitives.ts';
import { IDENTITY } from './names.ts';
import { ownBytes } from './own-bytes.ts';
import type { Transaction } from './transaction.ts';

const VERSION = 1;
const MAX_IDENTITY_BYTES = 128;
/** Registration ids have 14 bits and are not 0. */
const MAX_REGISTRATION_ID = 0x3fff;

/** This device's libsignal identity; a key of its own, which the device's signing key vouches for. */
export interface LocalIdentity {
  readonly keyPair: IdentityKeyPair;
  /** From 1 to 16,383; libsignal asks for it, nothing here depends on it. */
  readonly registrationId: number;
}

/** Reads the identity, or makes one within the transaction. @throws CryptoError `malformed` for a damaged store */
export async function localIdentity(tx: Transaction, random: Random): Promise<LocalIdentity> {
  const stored = await tx.get(IDENTITY);
  if (stored !== null) return parseIdentity(stored);
  const [high, low] = random(2) as unknown as [number, number];
  const registrationId = Math.max(1, ((high << 8) | low) & MAX_REGISTRATION_ID);
  const keyPair = IdentityKeyPair.generate();
  tx.put(IDENTITY, encodeCbor([VERSION, registrationId, keyPair.serialize()]));
  return { keyPair, registrationId };
}

function parseIdentity(stored: Uint8Array): LocalIdentity {
  const fields = readArray(decodeCbor(stored, MAX_IDENTITY_BYTES), 'identity', 3);
  readKnown(fields[0], 'identity version', VERSION);
  return {
    registrationId: readUint(fields[1], 'registration id', MAX_REGISTRATION_ID),
    keyPair: IdentityKeyPair.deserialize(ownBytes(readBytes(fields[2], 'identity key pair'))),
  };
}
