import { deviceId, memberId, type OrgId } from '@keytide/crypto-core';
import type { Device } from '@keytide/key-directory/verify';
import { isRefusalCode, LIMITS } from '@keytide/relay-protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CallerRates } from './caller-rates.ts';
import { RelayError } from './errors.ts';
import type { Gate } from './gate.ts';
import { parsed } from './parsed.ts';
import { hasSession, mediaTypeOf, refusalsOf, type Callers, type Route } from './route.ts';

/** What a route is called with: every part as its schema has it. */
interface Call<Who extends keyof Callers, Params, Query, Body> {
  readonly caller: Callers[Who];
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}

/** The routes of a relay. Fastify takes none but through here, so what this lists is all that there is. */
export interface Routes {
  /** Adds a route; what `handle` resolves to is the answer. @throws Error when there is such a route */
  add<Who extends keyof Callers, Params, Query, Body>(
    route: Route<Who, Params, Query, Body>,
    handle: (call: Call<Who, Params, Query, Body>) => unknown,
  ): void;
  list(): readonly Route[];
}

/** What `createRoutes` works with. */
export interface RoutesOptions {
  readonly gate: Gate;
  /** Takes one call of somebody who is not logged in. @throws RelayError `rate-limited` */
  readonly admitStranger: () => void;
  readonly callerRates: Pick<CallerRates, 'admitAddress' | 'admitCall'>;
  /** What large bodies that are under way may have together, and those of one organisation, in bytes. */
  readonly bodiesBytes: { readonly ofAll: number; readonly ofOrganisation: number };
  /** Gets each answer and refusal that its route does not declare; without it nobody looks. */
  readonly undeclared: ((what: string) => void) | null;
}

/** No routes yet. */
export function createRoutes(app: FastifyInstance, options: RoutesOptions): Routes {
  const { gate, admitStranger, callerRates, bodiesBytes, undeclared } = options;
  const routes: Route[] = [];
  let underWayBytes = 0;
  const sharesBytes = new Map<OrgId | null, number>();
  const isDeclared = Symbol('declared');
  app.addHook('onRoute', ({ config, method, path }) => {
    if (config === undefined || !(isDeclared in config))
      throw new Error(`${String(method)} ${path} is not added as a route is: by Routes.add`);
  });
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );

  /** Counts a large body from before it is read until it is answered. @throws RelayError `unavailable` */
  function takeIn(org: OrgId | null, request: FastifyRequest, reply: FastifyReply, mostBytes: number): void {
    const sizeBytes = Math.min(Number(request.headers['content-length'] ?? mostBytes), mostBytes);
    if (sizeBytes <= LIMITS.blobPieceBytes) return;
    const shareBytes = (sharesBytes.get(org) ?? 0) + sizeBytes;
    if (underWayBytes + sizeBytes > bodiesBytes.ofAll || shareBytes > bodiesBytes.ofOrganisation)
      throw new RelayError('unavailable', 'too much is being handed in at once');
    underWayBytes += sizeBytes;
    sharesBytes.set(org, shareBytes);
    reply.raw.once('close', () => {
      underWayBytes -= sizeBytes;
      const leftBytes = (sharesBytes.get(org) ?? 0) - sizeBytes;
      if (leftBytes > 0) sharesBytes.set(org, leftBytes);
      else sharesBytes.delete(org);
    });
  }

  async function callerOf(who: keyof Callers, request: FastifyRequest): Promise<Callers[typeof who]> {
    if (!hasSession(who)) {
      callerRates.admitAddress(request.ip);
      if (who === 'stranger') admitStranger();
      return null;
    }
    const caller = await gate[who](request);
    // Only now: whoever is let in by no session cannot use up what an organisation has.
    callerRates.admitCall({ org: caller.org, device: deviceIn(caller) });
    return caller;
  }

  async function answer(
    route: Route,
    handle: (call: Call<never, never, never, never>) => unknown,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<unknown> {
    const call = {
      caller: await callerOf(route.who, request),
      params: route.params && parsed(route.params, request.params),
      query: route.query && parsed(route.query, request.query),
      body: route.body && parsed(route.body, request.body),
    };
    const value = await handle(call as Call<never, never, never, never>);
    if (undeclared !== null && !route.answer.safeParse(value).success) undeclared(`${nameOf(route)}: answer`);
    void reply.code(route.status ?? 200);
    return value instanceof Uint8Array
      ? reply.type(mediaTypeOf(route.answer)).send(Buffer.from(value))
      : value;
  }

  return {
    add(route, handle) {
      routes.push(route as Route);
      const { bodyBytes } = route;
      app.route({
        method: route.method,
        url: route.path,
        config: { [isDeclared]: true },
        ...(bodyBytes === undefined
          ? {}
          : {
              bodyLimit: bodyBytes,
              onRequest: async (request, reply) => {
                const caller = await callerOf(route.who, request);
                takeIn(caller?.org ?? null, request, reply, bodyBytes);
              },
            }),
        handler: async (request, reply) => {
          try {
            return await answer(route as Route, handle, request, reply);
          } catch (error) {
            if (undeclared !== null && isUndeclared(route as Route, error))
              undeclared(`${nameOf(route as Route)}: ${(error as RelayError).code}`);
            throw error;
          }
        },
      });
    },
    list: () => routes,
  };
}

/** Whose share a call is of. Who has no device, or whose rights nobody asks about, has one alone. */
function deviceIn(caller: NonNullable<Callers[keyof Callers]>): Pick<Device, 'id' | 'member'> {
  const { id } = 'session' in caller ? caller.session.subject : caller.subject;
  const device = 'state' in caller ? caller.state.devices.get(deviceId(id)) : undefined;
  return device ?? { id: deviceId(id), member: memberId(id.slice(0, 32)) };
}

function isUndeclared(route: Route, error: unknown): boolean {
  if (!(error instanceof RelayError) || !isRefusalCode(error.code)) return false;
  return !refusalsOf(route).includes(error.code);
}

function nameOf({ method, path }: Route): string {
  return `${method.toUpperCase()} ${path}`;
}
