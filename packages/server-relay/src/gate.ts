import { deviceId, orgId, type OrgId } from '@keytide/crypto-core';
import type { Device, DirectoryState } from '@keytide/key-directory/verify';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import { RelayError } from './errors.ts';
import type { Logins, Session } from './logins.ts';
import type { Organisations } from './organisations.ts';
import { parsed } from './parsed.ts';
import { isAdmin, isWiped, mayExport, mayRead, readsUpTo } from './standing.ts';

/** Lets requests in by their session and their standing. */
export interface Gate {
  /** The session of the bearer token, for the organisation in the path. @throws RelayError `session-ended`, `malformed` */
  session(request: FastifyRequest): Promise<Session>;
  /** As `session`, and the subject may read the membership log now. @throws RelayError also `not-a-member` */
  subject(request: FastifyRequest): Promise<Entered>;
  /** As `subject`, and it is an active device. */
  device(request: FastifyRequest): Promise<EnteredDevice>;
  /** The same of a session that was found. */
  deviceOf(session: Session): Promise<EnteredDevice>;
  /** As `device`, and its member is an admin. */
  admin(request: FastifyRequest): Promise<EnteredDevice>;
  /** As `device`, and its member is an admin or an exporter. */
  exporter(request: FastifyRequest): Promise<EnteredDevice>;
  /** As `subject`, and it is a device that was told to destroy what it holds. */
  wiped(request: FastifyRequest): Promise<EnteredDevice>;
}

/** Whoever was let in. */
export interface Entered {
  readonly org: OrgId;
  readonly session: Session;
  /** As of the newest entry. */
  readonly state: DirectoryState;
  /** How many entries of the membership log it may read; `Infinity` for all that there are. */
  readonly readsUpTo: number;
}

/** A device that was let in. */
export type EnteredDevice = Entered & { readonly device: Device };

/** 32 bytes as hex, in a path. */
export const hex32: z.ZodType<string, string> = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ description: '32 bytes as hex' });

/** The organisation in the path of a request. */
export const orgParams: z.ZodType<{ org: OrgId }> = z.object({ org: hex32.transform(orgId) });

/** A gate that keeps nothing: every request is asked again. */
export function createGate(
  logins: Pick<Logins, 'session'>,
  organisations: Pick<Organisations, 'find'>,
  clock: Clock,
): Gate {
  async function session(request: FastifyRequest): Promise<Session> {
    const { org } = parsed(orgParams, request.params);
    const [, token] = /^Bearer ([A-Za-z0-9_-]+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (token === undefined) throw new RelayError('session-ended', 'log in first');
    const found = await logins.session(token);
    if (found.org !== org) throw new RelayError('session-ended', 'log in to this organisation');
    return found;
  }

  async function enter(found: Session): Promise<Entered & Pick<Session, 'subject'>> {
    const { org, subject, logSize } = found;
    const organisation = await organisations.find(org, logSize);
    if (organisation === null || !mayRead(organisation.state, subject, clock.now())) throw noRight();
    const { state } = organisation;
    return { org, session: found, subject, state, readsUpTo: readsUpTo(state, subject) };
  }

  async function asDevice(found: Session, which: 'active' | 'wiped'): Promise<EnteredDevice> {
    const { subject, ...entered } = await enter(found);
    const { state } = entered;
    const device = subject.kind === 'device' ? state.devices.get(deviceId(subject.id)) : undefined;
    if (device === undefined || isWiped(state, subject) !== (which === 'wiped')) throw noRight();
    return { ...entered, device };
  }

  async function admin(request: FastifyRequest): Promise<EnteredDevice> {
    const entered = await asDevice(await session(request), 'active');
    if (!isAdmin(entered.state, entered.device)) throw noRight();
    return entered;
  }

  async function exporter(request: FastifyRequest): Promise<EnteredDevice> {
    const entered = await asDevice(await session(request), 'active');
    if (!mayExport(entered.state, entered.device)) throw noRight();
    return entered;
  }

  return {
    session,
    subject: async (request) => enter(await session(request)),
    device: async (request) => asDevice(await session(request), 'active'),
    deviceOf: (found) => asDevice(found, 'active'),
    admin,
    exporter,
    wiped: async (request) => asDevice(await session(request), 'wiped'),
  };
}

function noRight(): RelayError {
  return new RelayError('not-a-member', 'the membership log gives this session no right to that');
}
