import {
  concatBytes,
  fromBase64Url,
  idBytes,
  orgId,
  toBase64Url,
  verifyBytes,
  type OrgId,
  type Primitives,
  type Random,
} from '@keytide/crypto-core';
import { loginBytes, type Subject } from '@keytide/relay-protocol';
import type { Clock } from './clock.ts';
import { RelayError, sessionEnded } from './errors.ts';
import type { RelayLimits } from './limits.ts';
import type { Organisations } from './organisations.ts';
import type { NewSession, StoredSession } from './session-store.ts';
import { keyOf } from './standing.ts';
import type { RelayStore } from './store.ts';

/**
 * Whose an access token is, and until when. That there is a session says nothing of the subject's standing today.
 */
export type Session = StoredSession;

/** What a session is held by. */
export interface Tokens {
  /** The access token. */
  readonly token: string;
  readonly expiresMs: number;
  /** Good once. */
  readonly refreshToken: string;
  readonly endsMs: number;
}

/** Challenges, logins and sessions (docs/spec/sessions.md). */
export interface Logins {
  /** A fresh challenge, whoever asks: also for subjects that do not exist. */
  challenge(org: OrgId, subject: Subject): Promise<{ challenge: Uint8Array; expiresMs: number }>;
  /** Trades a met challenge for a session. @throws RelayError `login-refused`, whatever was wrong; `unavailable` in its place while the relay settles */
  login(org: OrgId, subject: Subject, answer: LoginAnswer): Promise<Tokens>;
  /** Trades a refresh token for other tokens. @throws RelayError `session-ended`, whatever was wrong */
  refresh(org: OrgId, refreshToken: string): Promise<Tokens>;
  /** The session of an access token. @throws RelayError `session-ended` */
  session(token: string): Promise<Session>;
}

/** A challenge and the signature that is to meet it. */
interface LoginAnswer {
  /** 32 bytes. */
  readonly challenge: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** What `createLogins` works with. */
export interface LoginsOptions {
  readonly store: RelayStore;
  readonly organisations: Organisations;
  readonly primitives: Primitives;
  readonly random: Random;
  readonly clock: Clock;
  readonly limits: Pick<RelayLimits, 'challengeMs' | 'accessMs' | 'sessionMs' | 'sessionsOfSubject'>;
  /** The relay's public origin. */
  readonly relayName: () => string;
  /** Whether devices that this relay does not know may yet be given back to it (docs/spec/timeline.md). */
  readonly isSettling: () => boolean;
  /** A refresh token came a second time: the session has to end before this resolves. */
  readonly reused: (org: OrgId, session: Uint8Array) => Promise<void>;
}

const ORG_BYTES = 32;
/** org [32] ‖ random [32] */
const ACCESS_BYTES = 64;
/** org [32] ‖ random [32], as far as a refresh token names its session. */
const NAME_BYTES = 64;
/** The name of the session ‖ random [32] */
const REFRESH_BYTES = 96;

/** Logins over a store; nothing is kept in memory. */
export function createLogins(options: LoginsOptions): Logins {
  const { store, organisations, primitives, random, clock, limits } = options;
  // Unknown subjects are checked against the key of nobody, so that a refusal takes as long for them.
  const nobody = primitives.signer(random(32)).publicKey;

  async function isMet(
    org: OrgId,
    subject: Subject,
    { challenge, signature }: LoginAnswer,
  ): Promise<boolean> {
    const nowMs = clock.now();
    const fresh = await store.takeChallenge({ org, challenge, subject }, nowMs);
    const heads = await store.readOrgHeads([org]);
    const organisation = await organisations.find(org, heads.get(org)?.logSize);
    const key = organisation === null ? null : keyOf(organisation.state, subject, nowMs);
    const claim = loginBytes({ relayName: options.relayName(), org, subject, challenge });
    return isSignedBy(primitives, key ?? nobody, claim, signature) && fresh && key !== null;
  }

  /** Fresh tokens of the session with this name (org ‖ random): what its holder gets, and what is kept of it. */
  function tokensOf(name: Uint8Array): {
    readonly given: Pick<Tokens, 'token' | 'refreshToken'>;
    readonly kept: Pick<NewSession, 'id' | 'tokenHash' | 'refreshHash'>;
  } {
    const access = concatBytes(name.slice(0, ORG_BYTES), random(32));
    const refresh = concatBytes(name, random(32));
    return {
      given: { token: toBase64Url(access), refreshToken: toBase64Url(refresh) },
      kept: {
        id: primitives.sha256(name),
        tokenHash: primitives.sha256(access),
        refreshHash: primitives.sha256(refresh),
      },
    };
  }

  return {
    async challenge(org, subject) {
      const challenge = random(32);
      const expiresMs = clock.now() + limits.challengeMs;
      await store.putChallenge({ org, challenge, subject, expiresMs });
      return { challenge, expiresMs };
    },
    async login(org, subject, answer) {
      if (!(await isMet(org, subject, answer)))
        throw new RelayError(options.isSettling() ? 'unavailable' : 'login-refused', 'the login was refused');
      const name = concatBytes(idBytes(org), random(32));
      const fresh = tokensOf(name);
      const nowMs = clock.now();
      const expiresMs = nowMs + limits.accessMs;
      const endsMs = nowMs + limits.sessionMs;
      await store.putSession({ ...fresh.kept, org, subject, expiresMs, endsMs }, limits.sessionsOfSubject);
      return { ...fresh.given, expiresMs, endsMs };
    },
    async refresh(org, refreshToken) {
      const shown = fromBase64Url(refreshToken);
      if (shown === null || shown.length !== REFRESH_BYTES) throw sessionEnded();
      // The organisation is part of the name, so the id of another's session is none here.
      const name = shown.slice(0, NAME_BYTES);
      const fresh = tokensOf(name);
      const nowMs = clock.now();
      const expiresMs = nowMs + limits.accessMs;
      const shownHash = primitives.sha256(shown);
      const found = await store.refreshSession({ ...fresh.kept, org, shownHash, expiresMs, nowMs });
      if (found === 'reused') await options.reused(org, fresh.kept.id);
      if (found === 'reused' || found === null) throw sessionEnded();
      return { ...fresh.given, ...found };
    },
    async session(token) {
      const bytes = fromBase64Url(token);
      if (bytes === null || bytes.length !== ACCESS_BYTES) throw sessionEnded();
      const org = orgId(bytes.slice(0, ORG_BYTES));
      const session = await store.readSession(org, primitives.sha256(bytes));
      if (session === null || session.expiresMs <= clock.now()) throw sessionEnded();
      return session;
    },
  };
}

function isSignedBy(
  primitives: Primitives,
  publicKey: Uint8Array,
  claim: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    verifyBytes(primitives, primitives.verifier(publicKey), 'login', claim, signature);
    return true;
  } catch {
    return false;
  }
}
