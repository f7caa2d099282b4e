import { concatBytes, copyBytes, equalBytes } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import type { SecureItems } from './ports.ts';

const ITEM_BYTES = 49;

/** The item in the platform's keystore: 0  1 state │ 1  16 salt of its vault │ 17  32 device key. */
interface DeviceKeyItem {
  /** Whether the vault it belongs to was ever written whole. */
  readonly isComplete: boolean;
  readonly salt: Uint8Array;
  readonly deviceKey: Uint8Array;
}

/**
 * Keeps a device key, and sees to it that the keystore has it before anything relies on that.
 * @throws CryptoError `device-key-lost` where it gives back something else
 */
export async function keepDeviceKey(items: SecureItems, name: string, item: DeviceKeyItem): Promise<void> {
  const bytes = concatBytes(Uint8Array.of(item.isComplete ? 1 : 0), item.salt, item.deviceKey);
  await items.set(name, bytes);
  const kept = item.isComplete ? await items.get(name) : bytes;
  if (kept === null || !equalBytes(kept, bytes))
    throw new CryptoError('device-key-lost', 'the keystore does not keep what it is given');
  bytes.fill(0);
}

/** What the keystore has under this name; `null` for nothing, and for what is no such item. */
export async function readDeviceKey(items: SecureItems, name: string): Promise<DeviceKeyItem | null> {
  const bytes = await items.get(name);
  if (bytes === null || bytes.length !== ITEM_BYTES || (bytes[0] as number) > 1) return null;
  return {
    isComplete: bytes[0] === 1,
    salt: copyBytes(bytes.subarray(1, 17)),
    deviceKey: copyBytes(bytes.subarray(17)),
  };
}
