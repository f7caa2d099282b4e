import type { DeviceId } from '@keytide/crypto-core';

/** Who is meant: these devices, or every one of the organisation. */
export type Recipients = readonly DeviceId[] | 'everyone';
