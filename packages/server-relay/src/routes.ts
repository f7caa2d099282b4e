/* oxlint-disable oxc/no-async-endpoint-handlers -- that rule is about Express; Fastify awaits its handlers */
import { groupId, toBase64Url } from '@keytide/crypto-core';
import { logAppendRequest, logQuery, organisationRequest } from '@keytide/relay-protocol';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { RelayError } from './errors.ts';
import { hex32, type Gate } from './gate.ts';
import { shortId, type Log } from './log-event.ts';
import type { Organisations } from './organisations.ts';
import { parsed } from './parsed.ts';
import type { GroupLogs } from './group-logs.ts';
import type { RelayStore } from './store.ts';

/** What the routes work with. */
export interface RoutesOptions {
  readonly store: Pick<RelayStore, 'readLog'>;
  readonly logs: Pick<GroupLogs, 'readBox'>;
  readonly organisations: Organisations;
  readonly gate: Gate;
  readonly log: Log;
  readonly version: string;
  /** The relay's public key. */
  readonly key: Uint8Array;
  readonly relayName: () => string;
  /** Takes one call of somebody who is not logged in. @throws RelayError `rate-limited` */
  readonly admitStranger: () => void;
}

const boxParams = z.object({
  group: hex32,
  epoch: z
    .string()
    .regex(/^[1-9][0-9]{0,9}$/)
    .transform(Number),
});

/** The HTTP half of the protocol (docs/spec/sessions.md). */
export function addRoutes(app: FastifyInstance, options: RoutesOptions): void {
  const { store, logs, organisations, gate, log } = options;
  const key = toBase64Url(options.key);

  app.get('/v1/health', () => ({ status: 'ok', version: options.version, name: options.relayName(), key }));

  app.post('/v1/organisations', async (request, reply) => {
    options.admitStranger();
    const { entry } = parsed(organisationRequest, request.body);
    const org = await organisations.create(entry);
    log({ event: 'organisation-created', org: shortId(org) });
    return reply.code(201).send({ org });
  });

  app.get('/v1/organisations/:org/log', async (request) => {
    const { org, readsUpTo } = await gate.subject(request);
    const { from, count } = parsed(logQuery, request.query);
    const page = await store.readLog(org, from, count);
    const entries = (page?.entries ?? []).slice(0, Math.max(0, readsUpTo - from));
    return { entries: entries.map(toBase64Url), size: Math.min(page?.size ?? 0, readsUpTo) };
  });

  app.post('/v1/organisations/:org/log', async (request, reply) => {
    const { org, subject } = await gate.session(request);
    const { entry } = parsed(logAppendRequest, request.body);
    const index = await organisations.append(org, subject, entry);
    return reply.code(201).send({ index });
  });

  app.get('/v1/organisations/:org/groups/:group/boxes/:epoch', async (request) => {
    const { group, epoch } = parsed(boxParams, request.params);
    const { org, device } = await gate.device(request);
    const box = await logs.readBox({ org, group: groupId(group), epoch, device: device.id });
    if (box === null) throw new RelayError('no-box', 'no box for this device in this epoch');
    return { box: toBase64Url(box) };
  });
}
