import { deviceId, toBase64Url, type DeviceId } from '@keytide/crypto-core';
import {
  challengeRequest,
  challengeResponse,
  doneResponse,
  endSessionsRequest,
  refreshRequest,
  sessionRequest,
  sessionResponse,
  type SessionBody,
} from '@keytide/relay-protocol';
import type { Routes } from './create-routes.ts';
import type { MemberRates } from './device-rates.ts';
import { RelayError } from './errors.ts';
import { orgParams, type EnteredDevice, type Gate } from './gate.ts';
import { shortId, type Log } from './log-event.ts';
import type { IdentityCheck } from './identity-check.ts';
import type { Logins, Tokens } from './logins.ts';
import type { SessionWatch } from './session-watch.ts';
import { isAdmin } from './standing.ts';

/** What the routes of sessions work with. */
export interface SessionRoutesOptions {
  readonly logins: Logins;
  readonly gate: Pick<Gate, 'deviceOf'>;
  readonly watch: Pick<SessionWatch, 'end'>;
  readonly identity: IdentityCheck;
  /** How often a device ends sessions that are not its own. */
  readonly endRates: MemberRates;
  readonly log: Log;
}

const SESSIONS = '/v1/organisations/:org/sessions';

/** Logging in, staying in and logging out (docs/spec/sessions.md). */
export function addSessionRoutes(
  routes: Routes,
  { logins, gate, watch, identity, endRates, log }: SessionRoutesOptions,
): void {
  routes.add(
    {
      method: 'post',
      path: '/v1/organisations/:org/challenges',
      who: 'stranger',
      summary: 'A challenge to log in by, also for who does not exist',
      params: orgParams,
      body: challengeRequest,
      answer: challengeResponse,
    },
    async ({ params: { org }, body: { subject } }) => {
      const { challenge, expiresMs } = await logins.challenge(org, subject);
      return { challenge: toBase64Url(challenge), expiresAtMs: expiresMs };
    },
  );

  routes.add(
    {
      method: 'post',
      path: SESSIONS,
      who: 'stranger',
      summary: 'Logs in by a challenge that was met',
      params: orgParams,
      body: sessionRequest,
      answer: sessionResponse,
      refusals: ['login-refused', 'identity-required'],
    },
    async ({ params: { org }, body: { subject, idToken, ...answer } }) => {
      // Ahead of all else, so that it says nothing of whether there is such an invite.
      if (subject.kind === 'invite') await identity.assertVouched(idToken, subject.id);
      try {
        const tokens = await logins.login(org, subject, answer);
        log({ event: 'login', org: shortId(org), kind: subject.kind });
        return bodyOf(tokens);
      } catch (error) {
        if (error instanceof RelayError && error.code === 'login-refused')
          log({ event: 'login-refused', kind: subject.kind });
        throw error;
      }
    },
  );

  routes.add(
    {
      method: 'post',
      path: `${SESSIONS}/refresh`,
      // Not counted with the strangers: a flood of those must not log everybody out.
      who: 'anyone',
      summary: 'Trades a refresh token, good once, for another pair of tokens',
      params: orgParams,
      body: refreshRequest,
      answer: sessionResponse,
      refusals: ['session-ended'],
    },
    async ({ params: { org }, body: { refreshToken } }) => bodyOf(await logins.refresh(org, refreshToken)),
  );

  routes.add(
    {
      method: 'post',
      path: `${SESSIONS}/end`,
      who: 'session',
      summary: 'Ends sessions: this one, the others of its member, or those of a device',
      body: endSessionsRequest,
      answer: doneResponse,
      refusals: ['not-a-member', 'rate-limited'],
    },
    async ({ caller: session, body: named }) => {
      const { org, id } = session;
      if (named.which === 'this') await watch.end({ of: 'session', org, id });
      else {
        const entered = await gate.deviceOf(session);
        // Each of these makes every node look at the whole organisation; one's own session can be ended once.
        if (!endRates.admits({ org, device: entered.device }))
          throw new RelayError('rate-limited', 'so many sessions at once');
        const devices =
          named.which === 'others' ? devicesOfMember(entered) : [deviceNamed(entered, named.device)];
        await watch.end({ of: 'devices', org, devices, but: named.which === 'others' ? id : null });
      }
      return {};
    },
  );
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
