/* oxlint-disable oxc/no-async-endpoint-handlers -- that rule is about Express; Fastify awaits its handlers */
import { deviceId, toBase64Url, type DeviceId } from '@keytide/crypto-core';
import {
  challengeRequest,
  endSessionsRequest,
  refreshRequest,
  sessionRequest,
  type SessionBody,
} from '@keytide/relay-protocol';
import type { FastifyInstance } from 'fastify';
import { RelayError } from './errors.ts';
import { orgIn, type EnteredDevice, type Gate } from './gate.ts';
import { shortId, type Log } from './log-event.ts';
import type { Logins, Tokens } from './logins.ts';
import { parsed } from './parsed.ts';
import type { SessionWatch } from './session-watch.ts';
import { isAdmin } from './standing.ts';

/** What the routes of sessions work with. */
export interface SessionRoutesOptions {
  readonly logins: Logins;
  readonly gate: Gate;
  readonly watch: Pick<SessionWatch, 'end'>;
  readonly log: Log;
  /** Takes one call of somebody who is not logged in. @throws RelayError `rate-limited` */
  readonly admitStranger: () => void;
}

const SESSIONS = '/v1/organisations/:org/sessions';

/** Logging in, staying in and logging out (docs/spec/sessions.md). */
export function addSessionRoutes(app: FastifyInstance, options: SessionRoutesOptions): void {
  const { logins, gate, watch, log } = options;

  app.post('/v1/organisations/:org/challenges', async (request) => {
    options.admitStranger();
    const org = orgIn(request);
    const { subject } = parsed(challengeRequest, request.body);
    const { challenge, expiresMs } = await logins.challenge(org, subject);
    return { challenge: toBase64Url(challenge), expiresAtMs: expiresMs };
  });

  app.post(SESSIONS, async (request) => {
    options.admitStranger();
    const org = orgIn(request);
    const { subject, ...answer } = parsed(sessionRequest, request.body);
    try {
      const tokens = await logins.login(org, subject, answer);
      log({ event: 'login', org: shortId(org), kind: subject.kind });
      return bodyOf(tokens);
    } catch (error) {
      if (error instanceof RelayError && error.code === 'login-refused')
        log({ event: 'login-refused', kind: subject.kind });
      throw error;
    }
  });

  app.post(`${SESSIONS}/refresh`, async (request) => {
    options.admitStranger();
    const org = orgIn(request);
    const { refreshToken } = parsed(refreshRequest, request.body);
    return bodyOf(await logins.refresh(org, refreshToken));
  });

  app.post(`${SESSIONS}/end`, async (request) => {
    const session = await gate.session(request);
    const named = parsed(endSessionsRequest, request.body);
    const { org, id } = session;
    if (named.which === 'this') await watch.end({ of: 'session', org, id });
    else {
      const entered = await gate.device(request);
      const devices =
        named.which === 'others' ? devicesOfMember(entered) : [deviceNamed(entered, named.device)];
      await watch.end({ of: 'devices', org, devices, but: named.which === 'others' ? id : null });
    }
    return {};
  });
}

function devicesOfMember({ state, device }: EnteredDevice): DeviceId[] {
  return [...(state.members.get(device.member)?.activeDevices ?? [])];
}

/** A device of one's own member, or of the organisation for an admin. @throws RelayError `not-a-member`, whether it exists or not */
function deviceNamed({ state, device }: EnteredDevice, named: string): DeviceId {
  const id = deviceId(named);
  const owner = state.devices.get(id)?.member;
  if (owner !== undefined && (owner === device.member || isAdmin(state, device))) return id;
  throw new RelayError('not-a-member', 'only devices of your own, or an admin');
}

function bodyOf({ token, expiresMs, refreshToken, endsMs }: Tokens): SessionBody {
  return { token, expiresAtMs: expiresMs, refreshToken, endsAtMs: endsMs };
}
