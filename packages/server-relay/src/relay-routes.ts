import type { Primitives } from '@keytide/crypto-core';
import type { FastifyInstance } from 'fastify';
import { addAccessRoutes } from './access-routes.ts';
import type { AtRest } from './at-rest.ts';
import type { Blobs } from './blobs.ts';
import { addBlobRoutes } from './blob-routes.ts';
import { createRoutes, type RoutesOptions } from './create-routes.ts';
import { addDataRoutes } from './data-routes.ts';
import { createMemberRates } from './device-rates.ts';
import { addDirectoryRoutes } from './directory-routes.ts';
import { addEntryRoutes, type EntryRoutesOptions } from './entry-routes.ts';
import type { Gate } from './gate.ts';
import type { RelayLimits } from './limits.ts';
import { addMailRoutes } from './mail-routes.ts';
import { addOpenApiRoute } from './openapi-route.ts';
import { createOrgData } from './org-data.ts';
import { addPreKeyRoutes } from './pre-key-routes.ts';
import { addPushRoutes, type PushRoutesOptions } from './push/routes.ts';
import type { RateSharing } from './rate-sharing.ts';
import { addRetentionRoutes } from './retention-routes.ts';
import { addRoutes, type LogRoutesOptions } from './routes.ts';
import { addSessionRoutes, type SessionRoutesOptions } from './session-routes.ts';
import type { Sockets } from './sockets.ts';
import type { RelayStore } from './store.ts';
import { addUnlockRoutes } from './unlock-routes.ts';
import { addWipeRoutes } from './wipe-routes.ts';

/** What the routes of a relay work with. */
export interface RelayRoutesOptions
  extends LogRoutesOptions, Omit<SessionRoutesOptions, 'endRates'>, EntryRoutesOptions {
  readonly store: RelayStore;
  readonly primitives: Primitives;
  readonly limits: RelayLimits;
  readonly gate: Gate;
  readonly atRest: AtRest;
  readonly blobs: Blobs;
  readonly sharing: RateSharing;
  readonly push: Omit<PushRoutesOptions, 'gate' | 'sessions'>;
  readonly hint: Sockets['hint'];
  readonly admitStranger: RoutesOptions['admitStranger'];
  readonly callerRates: RoutesOptions['callerRates'];
  readonly undeclared: RoutesOptions['undeclared'];
}

/** Adds everything that a relay answers over HTTP (docs/http-api.md). */
export function addRelayRoutes(app: FastifyInstance, options: RelayRoutesOptions): void {
  const { atRest, clock, gate, hint, limits, push, sharing, store, version } = options;
  const memberRates = (name: string, burst: number, perSecond: number) =>
    createMemberRates(clock, burst, perSecond, {
      ofDevice: sharing.named(name),
      ofMember: sharing.named(`${name} of member`),
    });
  const { admitStranger, callerRates, undeclared } = options;
  const bodiesBytes = { ofAll: limits.intakeBytes, ofOrganisation: limits.intakeBytesOfOrganisation };
  const routes = createRoutes(app, { gate, admitStranger, callerRates, bodiesBytes, undeclared });
  addOpenApiRoute(routes, version);
  addRoutes(routes, options);
  addSessionRoutes(routes, {
    ...options,
    endRates: memberRates('ends', limits.endBurst, limits.endsPerSecond),
  });
  addDirectoryRoutes(routes, options);
  addPushRoutes(routes, { ...push, gate, sessions: store });
  addMailRoutes(routes, {
    ...options,
    rates: memberRates('mail', limits.mailBurst, limits.mailPerSecond),
    hint: (org, device) => hint(org, [device], 'mail'),
  });
  addPreKeyRoutes(routes, {
    ...options,
    rates: memberRates('pre-keys', limits.preKeyBurst, limits.preKeysPerSecond),
  });
  addDataRoutes(routes, {
    data: createOrgData(store, atRest, limits.documents),
    hint: (org) => hint(org, 'everyone', 'data'),
  });
  addRetentionRoutes(routes, options);
  addWipeRoutes(routes, options);
  addUnlockRoutes(routes, options);
  addAccessRoutes(routes, {
    ...options,
    rates: memberRates('access', limits.accessBurst, limits.accessPerSecond),
  });
  addBlobRoutes(routes, options);
  addEntryRoutes(routes, options);
}
