import type { DeviceId, OrgId } from '@keytide/crypto-core';
import type { Subject } from '@keytide/relay-protocol';

/** The part of `RelayStore` that keeps sessions. Ids and hashes are 32 bytes. */
export interface SessionStore {
  /** Keeps a session; of its subject's, the oldest beyond `most` are deleted. */
  putSession(session: NewSession, most: number): Promise<void>;
  /** The session with this access token, also when that has expired; `null` when there is none, or it was ended. */
  readSession(org: OrgId, tokenHash: Uint8Array): Promise<StoredSession | null>;
  /**
   * Gives a session other tokens in place of those it has. For each refresh token, one caller succeeds; every other
   * hears `reused` while the session lives, and `null` when it does not.
   */
  refreshSession(refresh: SessionRefresh): Promise<RefreshedSession | 'reused' | null>;
  /** Ends sessions and raises the generation of their organisations. */
  endSessions(which: SessionsToEnd): Promise<void>;
  /** Which of these sessions of an organisation have not been ended, and its generation at the same moment. */
  readLiveSessions(org: OrgId, ids: readonly Uint8Array[]): Promise<LiveSessions>;
}

/** A session as a login begins it. */
export interface NewSession {
  readonly org: OrgId;
  readonly id: Uint8Array;
  readonly subject: Subject;
  /** SHA-256 of the access token. */
  readonly tokenHash: Uint8Array;
  /** When the access token expires. */
  readonly expiresMs: number;
  /** SHA-256 of the refresh token. */
  readonly refreshHash: Uint8Array;
  /** When the session ends, however often it is refreshed. */
  readonly endsMs: number;
}

/** A session as it is found by its access token. */
export interface StoredSession extends Pick<NewSession, 'org' | 'id' | 'subject' | 'expiresMs'> {
  /** The generation of the organisation's sessions when this was read: it is known to live as of then. */
  readonly asOf: number;
  /** How far the membership log went when this was read. */
  readonly logSize: number;
}

/** A refresh token that is to be used up, and what takes its place. */
export interface SessionRefresh extends Omit<NewSession, 'subject' | 'endsMs'> {
  /** SHA-256 of the refresh token that was shown. */
  readonly shownHash: Uint8Array;
  readonly nowMs: number;
}

/** Until when the new tokens of a session are good. */
export interface RefreshedSession {
  /** As was asked for, but not beyond the end. */
  readonly expiresMs: number;
  readonly endsMs: number;
}

/** Sessions that are to end before their time. */
export type SessionsToEnd =
  | { readonly of: 'session'; readonly org: OrgId; readonly id: Uint8Array }
  /** `but`: a session that goes on. */
  | {
      readonly of: 'devices';
      readonly org: OrgId;
      readonly devices: readonly DeviceId[];
      readonly but: Uint8Array | null;
    }
  /** Also of invites and of the recovery key. */
  | { readonly of: 'organisation'; readonly org: OrgId }
  | { readonly of: 'relay' };

/** Sessions that are known to live, as of a generation. */
export interface LiveSessions {
  readonly generation: number;
  readonly ids: readonly Uint8Array[];
}
