import { decodeCbor, encodeCbor, type DeviceId, type OrgId } from '@keytide/crypto-core';
import { LIMITS, type PushKind } from '@keytide/relay-protocol';
import type { AtRest } from '../at-rest.ts';
import type { PushStore, StoredPushRegistration } from './store.ts';

/** How devices are told, sealed at rest: data of the class system, which no route answers with. */
export interface PushRegistrations {
  /** Keeps a device's, in place of the one before. */
  put(org: OrgId, device: DeviceId, registration: PushRegistration): Promise<void>;
  /** Forgets it. */
  clear(org: OrgId, device: DeviceId): Promise<void>;
  /** For the dispatcher alone. @throws RelayError `data-damaged` */
  open(stored: StoredPushRegistration): Promise<PushRegistration>;
}

/** How a device is told, and where. */
export interface PushRegistration {
  readonly kind: PushKind;
  readonly target: string;
}

/** Registrations over a store. */
export function createPushRegistrations(store: PushStore, atRest: AtRest): PushRegistrations {
  const placeOf = async (org: OrgId, device: DeviceId) => ({
    org,
    name: await atRest.nameOf(org, ['push', device]),
    version: 0,
  });
  return {
    async put(org, device, { kind, target }) {
      const name = await atRest.nameOf(org, ['push', kind, target]);
      const bytes = await atRest.seal(await placeOf(org, device), encodeCbor([kind, target]));
      await store.putPushRegistration({ org, device, name, ...bytes });
    },
    clear: (org, device) => store.deletePushRegistration(org, device),
    async open({ org, device, ...bytes }) {
      const plaintext = await atRest.open(await placeOf(org, device), bytes);
      const [kind, target] = decodeCbor(plaintext, LIMITS.pushTargetBytes + 32) as [PushKind, string];
      return { kind, target };
    },
  };
}
