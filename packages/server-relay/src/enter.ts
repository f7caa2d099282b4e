import { sessionEnded } from './errors.ts';
import type { Logins, Session } from './logins.ts';
import type { Organisation, Organisations } from './organisations.ts';
import type { SessionWatch } from './session-watch.ts';

/** Somebody whose session was found; their organisation stays in memory until `release`. */
export interface Entrance {
  readonly session: Session;
  readonly organisation: Organisation;
  readonly release: () => void;
}

/** What `enter` works with. */
export interface EnterOptions {
  readonly logins: Pick<Logins, 'session'>;
  readonly organisations: Pick<Organisations, 'pin'>;
  readonly watch: Pick<SessionWatch, 'endings'>;
}

/**
 * The session of an access token and its organisation. Nothing was ended here between what was read and the moment
 * this resolves: follow it in the same turn, and no end of it is missed.
 * @throws RelayError `session-ended`
 */
export async function enter(
  { logins, organisations, watch }: EnterOptions,
  token: string,
): Promise<Entrance> {
  for (;;) {
    const endings = watch.endings();
    const session = await logins.session(token);
    const pinned = await organisations.pin(session.org, session.logSize);
    if (pinned === null) throw sessionEnded();
    if (watch.endings() === endings) return { session, ...pinned };
    pinned.release();
  }
}
