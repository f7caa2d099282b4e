import type { RefusalCode } from '@keytide/relay-protocol';
import { z } from 'zod';
import type { Entered, EnteredDevice } from './gate.ts';
import type { Session } from './logins.ts';

/** Who may call a route, and what the gate says of them. */
export interface Callers {
  /** Whoever asks. */
  readonly anyone: null;
  /** Whoever asks, as often as strangers may. */
  readonly stranger: null;
  /** Who has a session, whatever became of their rights. */
  readonly session: Session;
  /** Who may read the membership log. */
  readonly subject: Entered;
  readonly device: EnteredDevice;
  /** A device of an admin. */
  readonly admin: EnteredDevice;
  /** A device of an admin or of an exporter. */
  readonly exporter: EnteredDevice;
  /** A device that was told to destroy what it holds. */
  readonly wiped: EnteredDevice;
}

/** All that there is to say of a route but what it does: the relay registers it and describes it by this. */
export interface Route<
  Who extends keyof Callers = keyof Callers,
  Params = unknown,
  Query = unknown,
  Body = unknown,
> {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** As Fastify has it. `:org` is the gate's to read, where there is a session. */
  readonly path: string;
  readonly who: Who;
  /** One line: what it does. */
  readonly summary: string;
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  /** The largest body, where it is more than JSON has: whoever may not call is refused before it is read. */
  readonly bodyBytes?: number;
  /** What it answers, as it travels; `rawBytes` and `plainText` are no JSON. */
  readonly answer: z.ZodType;
  /** Of that answer. Default 200. */
  readonly status?: 201;
  /** The codes of its own; those that follow from the rest are not repeated. */
  readonly refusals?: readonly RefusalCode[];
}

/** A body or an answer of bytes. */
export const rawBytes: z.ZodType<Uint8Array> = z.instanceof(Uint8Array);

/** An answer of UTF-8 text, as its bytes. */
export const plainText: z.ZodType<Uint8Array> = z.instanceof(Uint8Array);

/** How a body or an answer travels. */
export function mediaTypeOf(schema: z.ZodType): string {
  if (schema === rawBytes) return 'application/octet-stream';
  return schema === plainText ? 'text/plain; charset=utf-8' : 'application/json';
}

/** Every code that a route may refuse with. */
export function refusalsOf({ method, who, refusals = [] }: Route): readonly RefusalCode[] {
  const codes = new Set<RefusalCode>(['malformed', 'unavailable', 'rate-limited', ...refusals]);
  if (method !== 'get') codes.add('too-large');
  if (hasSession(who)) codes.add('session-ended');
  if (hasSession(who) && who !== 'session') codes.add('not-a-member');
  return [...codes];
}

/** Whether these callers come with a session. */
export function hasSession(who: keyof Callers): who is Exclude<keyof Callers, 'anyone' | 'stranger'> {
  return who !== 'anyone' && who !== 'stranger';
}
