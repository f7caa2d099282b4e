/* oxlint-disable oxc/no-async-endpoint-handlers -- that rule is about Express; Fastify awaits its handlers */
import { deviceId, groupId, orgId, toBase64Url, type OrgId } from '@keytide/crypto-core';
import {
  challengeRequest,
  logAppendRequest,
  logQuery,
  organisationRequest,
  sessionRequest,
} from '@keytide/relay-protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import { RelayError } from './errors.ts';
import { shortId, type Log } from './log-event.ts';
import type { Logins, Session } from './logins.ts';
import type { Organisation, Organisations } from './organisations.ts';
import { hasStanding } from './standing.ts';
import type { RelayStore } from './store.ts';

/** What the routes work with. */
export interface RoutesOptions {
  readonly store: RelayStore;
  readonly organisations: Organisations;
  readonly logins: Logins;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly relayName: () => string;
  /** Takes one call of somebody who is not logged in. @throws RelayError `rate-limited` */
  readonly admitStranger: () => void;
}

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const orgParams = z.object({ org: hex32 });
const boxParams = z.object({
  org: hex32,
  group: hex32,
  epoch: z
    .string()
    .regex(/^[1-9][0-9]{0,9}$/)
    .transform(Number),
});

/** The HTTP half of the protocol (docs/spec/sessions.md). */
export function addRoutes(app: FastifyInstance, options: RoutesOptions): void {
  const { store, organisations, logins, clock, log } = options;

  /** The session of a request's bearer token, for the organisation in its path. */
  async function sessionOf(request: FastifyRequest, org: OrgId): Promise<Session> {
    const [, token] = /^Bearer ([A-Za-z0-9_-]+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (token === undefined) throw new RelayError('session-ended', 'log in first');
    const session = await logins.session(token);
    if (session.org !== org) throw new RelayError('session-ended', 'log in to this organisation');
    return session;
  }

  async function standing(session: Session): Promise<Organisation> {
    const organisation = await organisations.find(session.org);
    if (organisation === null || !hasStanding(organisation.state, session.subject, clock.now()))
      throw new RelayError('not-a-member', 'the membership log gives this session no right to that');
    return organisation;
  }

  app.get('/v1/health', () => ({ status: 'ok', version: options.version, name: options.relayName() }));

  app.post('/v1/organisations', async (request, reply) => {
    options.admitStranger();
    const { entry } = parsed(organisationRequest, request.body);
    const org = await organisations.create(entry);
    log({ event: 'organisation-created', org: shortId(org) });
    return reply.code(201).send({ org });
  });

  app.post('/v1/organisations/:org/challenges', async (request) => {
    options.admitStranger();
    const org = orgId(parsed(orgParams, request.params).org);
    const { subject } = parsed(challengeRequest, request.body);
    const { challenge, expiresMs } = await logins.challenge(org, subject);
    return { challenge: toBase64Url(challenge), expiresAtMs: expiresMs };
  });

  app.post('/v1/organisations/:org/sessions', async (request) => {
    options.admitStranger();
    const org = orgId(parsed(orgParams, request.params).org);
    const { subject, ...answer } = parsed(sessionRequest, request.body);
    try {
      const { token, expiresMs } = await logins.login(org, subject, answer);
      log({ event: 'login', org: shortId(org), kind: subject.kind });
      return { token, expiresAtMs: expiresMs };
    } catch (error) {
      if (error instanceof RelayError && error.code === 'login-refused')
        log({ event: 'login-refused', kind: subject.kind });
      throw error;
    }
  });

  app.get('/v1/organisations/:org/log', async (request) => {
    const org = orgId(parsed(orgParams, request.params).org);
    await standing(await sessionOf(request, org));
    const { from } = parsed(logQuery, request.query);
    const page = await store.readLog(org, from);
    return { entries: page?.entries.map(toBase64Url) ?? [], size: page?.size ?? 0 };
  });

  app.post('/v1/organisations/:org/log', async (request, reply) => {
    const org = orgId(parsed(orgParams, request.params).org);
    const { subject } = await sessionOf(request, org);
    const { entry } = parsed(logAppendRequest, request.body);
    const index = await organisations.append(org, subject, entry);
    return reply.code(201).send({ index });
  });

  app.get('/v1/organisations/:org/groups/:group/boxes/:epoch', async (request) => {
    const params = parsed(boxParams, request.params);
    const org = orgId(params.org);
    const session = await sessionOf(request, org);
    await standing(session);
    if (session.subject.kind !== 'device') throw new RelayError('not-a-member', 'boxes are for devices');
    const { epoch } = params;
    const device = deviceId(session.subject.id);
    const box = await store.readBox({ org, group: groupId(params.group), epoch, device });
    if (box === null) throw new RelayError('no-box', 'no box for this device in this epoch');
    return { box: toBase64Url(box) };
  });
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new RelayError('malformed', 'not what the specification says');
  return result.data;
}
