import type { DeviceId } from '@keytide/crypto-core';
import { writeEntry, type WriteContext } from './sign-entry.ts';

/** Ends a device for good. @throws DirectoryError `not-permitted`, `unknown-device`, `last-admin` */
export function createRevokeDevice(context: WriteContext & { readonly device: DeviceId }): Uint8Array {
  return writeEntry(context, { kind: 'revoke-device', device: context.device });
}
