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
import { RelayError } from './errors.ts';
import type { RelayLimits } from './limits.ts';
import type { Organisations } from './organisations.ts';
import { keyOf } from './standing.ts';
import type { RelayStore } from './store.ts';

/** Who a token belongs to. That there is a session says nothing of the subject's standing today. */
export interface Session {
  readonly org: OrgId;
  readonly subject: Subject;
  readonly expiresMs: number;
}

/** Challenges, logins and sessions (docs/spec/sessions.md). */
export interface Logins {
  /** A fresh challenge, whoever asks: also for subjects that do not exist. */
  challenge(org: OrgId, subject: Subject): Promise<{ challenge: Uint8Array; expiresMs: number }>;
  /** Trades a met challenge for a token. @throws RelayError `login-refused`, whatever was wrong */
  login(org: OrgId, subject: Subject, answer: LoginAnswer): Promise<{ token: string; expiresMs: number }>;
  /** The session of a token. @throws RelayError `session-ended` */
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
  readonly limits: Pick<RelayLimits, 'challengeMs' | 'sessionMs'>;
  /** The relay's public origin. */
  readonly relayName: () => string;
}

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
    const organisation = await organisations.find(org);
    const key = organisation === null ? null : keyOf(organisation.state, subject, nowMs);
    const claim = loginBytes({ relayName: options.relayName(), org, subject, challenge });
    return isSignedBy(primitives, key ?? nobody, claim, signature) && fresh && key !== null;
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
        throw new RelayError('login-refused', 'the login was refused');
      const bytes = concatBytes(idBytes(org), random(32));
      const expiresMs = clock.now() + limits.sessionMs;
      await store.putSession({ org, tokenHash: primitives.sha256(bytes), subject, expiresMs });
      return { token: toBase64Url(bytes), expiresMs };
    },
    async session(token) {
      const bytes = fromBase64Url(token);
      if (bytes === null || bytes.length !== 64) throw ended();
      const org = orgId(bytes.slice(0, 32));
      const session = await store.readSession(org, primitives.sha256(bytes));
      if (session === null || session.expiresMs <= clock.now()) throw ended();
      return { org, subject: session.subject, expiresMs: session.expiresMs };
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

function ended(): RelayError {
  return new RelayError('session-ended', 'log in again');
}
