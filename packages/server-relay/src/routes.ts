import { deviceId, groupId, toBase64Url } from '@keytide/crypto-core';
import {
  boxResponse,
  enrolmentResponse,
  floorResponse,
  healthResponse,
  logAppendRequest,
  logAppendResponse,
  logQuery,
  logResponse,
  organisationRequest,
  organisationResponse,
} from '@keytide/relay-protocol';
import { z } from 'zod';
import type { Routes } from './create-routes.ts';
import { RelayError } from './errors.ts';
import { hex32 } from './gate.ts';
import type { IdentityCheck } from './identity-check.ts';
import { shortId, type Log } from './log-event.ts';
import type { Organisations } from './organisations.ts';
import type { GroupLogs } from './group-logs.ts';
import type { RelayStore } from './store.ts';

/** What the routes work with. */
export interface LogRoutesOptions {
  readonly store: Pick<RelayStore, 'readLog'>;
  readonly logs: Pick<GroupLogs, 'readBox' | 'readFloor'>;
  readonly organisations: Organisations;
  readonly identity: IdentityCheck;
  readonly log: Log;
  readonly version: string;
  /** The relay's public key. */
  readonly key: Uint8Array;
  readonly relayName: () => string;
}

const LOG = '/v1/organisations/:org/log';

const groupParams = z.object({ group: hex32 });

const boxParams = z.object({
  group: hex32,
  epoch: z
    .string()
    .regex(/^[1-9][0-9]{0,9}$/)
    .transform(Number),
});

const archiveBoxParams = boxParams.extend({ recipient: hex32 });

/** Organisations, their membership logs, and boxes (docs/spec/sessions.md). */
export function addRoutes(routes: Routes, options: LogRoutesOptions): void {
  const { store, logs, organisations, identity, log } = options;
  const key = toBase64Url(options.key);

  routes.add(
    {
      method: 'get',
      path: '/v1/health',
      who: 'anyone',
      summary: 'That the relay answers, and who it is',
      answer: healthResponse,
    },
    () => ({ status: 'ok', version: options.version, name: options.relayName(), key }),
  );

  routes.add(
    {
      method: 'get',
      path: '/v1/enrolment',
      who: 'anyone',
      summary: 'Who has to vouch for whoever comes for the first time',
      answer: enrolmentResponse,
    },
    () => ({ identity: identity.provider }),
  );

  routes.add(
    {
      method: 'post',
      path: '/v1/organisations',
      who: 'stranger',
      summary: 'Registers an organisation by the first entry of its membership log',
      body: organisationRequest,
      answer: organisationResponse,
      status: 201,
      refusals: ['unsupported-version', 'entry-refused', 'identity-required'],
    },
    async ({ body }) => {
      const { org, isNew } = await organisations.create(body.entry, (id) =>
        identity.assertVouched(body.idToken, id),
      );
      if (isNew) log({ event: 'organisation-created', org: shortId(org) });
      return { org };
    },
  );

  routes.add(
    {
      method: 'get',
      path: LOG,
      who: 'subject',
      summary: 'A page of the membership log',
      query: logQuery,
      answer: logResponse,
    },
    async ({ caller: { org, readsUpTo }, query: { from, count } }) => {
      const page = await store.readLog(org, from, count);
      const entries = (page?.entries ?? []).slice(0, Math.max(0, readsUpTo - from));
      return { entries: entries.map(toBase64Url), size: Math.min(page?.size ?? 0, readsUpTo) };
    },
  );

  routes.add(
    {
      method: 'post',
      path: LOG,
      who: 'session',
      summary: 'Adds an entry to the membership log',
      body: logAppendRequest,
      answer: logAppendResponse,
      status: 201,
      refusals: ['not-a-member', 'unsupported-version', 'entry-refused', 'head-moved'],
    },
    async ({ caller: { org, subject }, body }) => ({
      index: await organisations.append(org, subject, body.entry),
    }),
  );

  routes.add(
    {
      method: 'get',
      path: '/v1/organisations/:org/groups/:group/boxes/:epoch',
      who: 'device',
      summary: "The calling device's box of an epoch",
      params: boxParams,
      answer: boxResponse,
      refusals: ['no-box'],
    },
    async ({ caller: { org, device }, params: { group, epoch } }) => {
      const box = await logs.readBox({ org, group: groupId(group), epoch, device: device.id });
      if (box === null) throw new RelayError('no-box', 'no box for this device in this epoch');
      return { box: toBase64Url(box) };
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/v1/organisations/:org/groups/:group/boxes/:epoch/:recipient',
      who: 'exporter',
      summary: "The archive's box of an epoch",
      params: archiveBoxParams,
      answer: boxResponse,
      refusals: ['no-box'],
    },
    async ({ caller: { org, state }, params: { group, epoch, recipient } }) => {
      // What was sealed to a device is for nobody else, and who is no device is the archive.
      const id = deviceId(recipient);
      const place = { org, group: groupId(group), epoch, device: id };
      const box = state.devices.has(id) ? null : await logs.readBox(place);
      if (box === null) throw new RelayError('no-box', 'no box for this archive in this epoch');
      return { box: toBase64Url(box) };
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/v1/organisations/:org/groups/:group/floor',
      who: 'device',
      summary: "Where a group's log begins of which days are forgotten",
      params: groupParams,
      answer: floorResponse,
      refusals: ['not-found'],
    },
    async ({ caller: { org }, params: { group } }) => {
      const floor = await logs.readFloor(org, groupId(group));
      if (floor === null) throw new RelayError('not-found', 'this log has everything');
      const { firstSeq, statement, frontier } = floor;
      return { firstSeq, statement: toBase64Url(statement), frontier: toBase64Url(frontier) };
    },
  );
}
