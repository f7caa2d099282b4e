import { toBase64Url, type DeviceId, type OrgId } from '@keytide/crypto-core';
import { doneResponse, pushOfferResponse, pushRequest } from '@keytide/relay-protocol';
import type { Routes } from '../create-routes.ts';
import { RelayError, sessionEnded } from '../errors.ts';
import type { Gate } from '../gate.ts';
import type { SessionStore } from '../session-store.ts';
import type { PushRegistrations } from './registrations.ts';
import type { PushSenders } from './senders.ts';

/** What the routes of push work with. */
export interface PushRoutesOptions {
  readonly registrations: Pick<PushRegistrations, 'put' | 'clear'>;
  readonly senders: Pick<PushSenders, 'byKind' | 'vapidKey'>;
  readonly gate: Pick<Gate, 'deviceOf'>;
  readonly sessions: Pick<SessionStore, 'readLiveSessions'>;
  /** A device has registered. */
  readonly registered: (org: OrgId, device: DeviceId) => void;
}

const PUSH = '/v1/organisations/:org/push';

/** How a device is told while it is not connected (docs/spec/push.md). No route answers with what was registered. */
export function addPushRoutes(routes: Routes, options: PushRoutesOptions): void {
  const { registrations, senders, gate, sessions } = options;

  routes.add(
    {
      method: 'get',
      path: PUSH,
      who: 'device',
      summary: 'How the relay tells devices that are not connected',
      answer: pushOfferResponse,
    },
    () => {
      const { vapidKey } = senders;
      return { kinds: [...senders.byKind.keys()], vapidKey: vapidKey && toBase64Url(vapidKey) };
    },
  );

  routes.add(
    {
      method: 'put',
      path: PUSH,
      who: 'session',
      summary: 'Says how the calling device is told while it is not connected',
      body: pushRequest,
      answer: doneResponse,
      refusals: ['not-a-member', 'push-refused'],
    },
    async ({ caller: session, body: registration }) => {
      const { org, device } = await gate.deviceOf(session);
      const sender = senders.byKind.get(registration.kind);
      if (sender === undefined)
        throw new RelayError('push-refused', 'this relay does not push that way', { reason: 'kind' });
      if (!sender.accepts(registration.target))
        throw new RelayError('push-refused', 'not where push may go', { reason: 'target' });
      await registrations.put(org, device.id, registration);
      // It may have lost its place meanwhile, its session with it, and whoever ended it has found no registration to end.
      const live = await sessions.readLiveSessions(org, [session.id]);
      if (live.ids.length === 0) {
        await registrations.clear(org, device.id);
        throw sessionEnded();
      }
      options.registered(org, device.id);
      return {};
    },
  );

  routes.add(
    {
      method: 'delete',
      path: PUSH,
      who: 'device',
      summary: 'Has the calling device told no more',
      answer: doneResponse,
    },
    async ({ caller: { org, device } }) => {
      await registrations.clear(org, device.id);
      return {};
    },
  );
}
