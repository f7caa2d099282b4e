import { nodePrimitives } from '@keytide/crypto-core/node';
import { enrolmentNonce, type IdentityProvider } from '@keytide/relay-protocol';
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import { RelayError } from './errors.ts';

/** Asks whoever comes for the first time for somebody who vouches for them (docs/spec/enrolment.md). */
export interface IdentityCheck {
  /** Who has to; `null`: nobody. */
  readonly provider: IdentityProvider | null;
  /**
   * That the token vouches for the enrolment with this id: of an invite, or of an organisation.
   * @throws RelayError `identity-required`; `unavailable` while the provider does not answer
   */
  assertVouched(token: string | undefined, id: string): Promise<void>;
}

/** For a relay that asks nobody. */
export const NO_IDENTITY: IdentityCheck = { provider: null, assertVouched: () => Promise.resolve() };

/** Signatures of which the public half verifies: never `none`, and no shared secret. */
const ALGORITHMS = ['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256', 'RS384', 'RS512'];
const TIMEOUT_MS = 5_000;
const MOST_AGE_SECONDS = 600;
const TOLERANCE_SECONDS = 60;

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url() });

/** @throws TypeError for an issuer that is neither https nor on this machine */
export function createIdentityCheck(provider: IdentityProvider, clock: Clock): IdentityCheck {
  const { issuer, clientId } = provider;
  if (!mayIssue(issuer)) throw new TypeError('an issuer is https, or http on this machine');
  let keys: Promise<JWTVerifyGetKey> | null = null;

  async function discover(): Promise<JWTVerifyGetKey> {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const found = discovery.parse(await answer.json());
    if (found.issuer !== issuer || !mayIssue(found.jwks_uri)) throw new TypeError('of another issuer');
    return createRemoteJWKSet(new URL(found.jwks_uri), { timeoutDuration: TIMEOUT_MS });
  }

  async function claimsOf(token: string): Promise<JWTPayload> {
    try {
      keys ??= discover();
      const verified = await jwtVerify(token, await keys, {
        issuer,
        audience: clientId,
        algorithms: ALGORITHMS,
        currentDate: new Date(clock.now()),
        maxTokenAge: MOST_AGE_SECONDS,
        clockTolerance: TOLERANCE_SECONDS,
        requiredClaims: ['sub', 'exp', 'iat', 'nonce'],
      });
      return verified.payload;
    } catch (cause) {
      if (isRefusal(cause)) throw refused();
      keys = null;
      throw new RelayError('unavailable', 'the OpenID provider does not answer', { cause });
    }
  }

  return {
    provider,
    async assertVouched(token, id) {
      if (token === undefined)
        throw new RelayError('identity-required', 'an ID token is needed', { reason: 'missing' });
      const { nonce, azp, aud } = await claimsOf(token);
      if (nonce !== enrolmentNonce(nodePrimitives, id)) throw refused();
      // OpenID Connect Core 1.0, 3.1.3.7: with several audiences, it says for whom it was made.
      const isOurs = azp === undefined ? !Array.isArray(aud) || aud.length === 1 : azp === clientId;
      if (!isOurs) throw refused();
    },
  };
}

/** https, or http on this machine. */
export function mayIssue(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.search !== '' || url.hash !== '' || url.username !== '') return false;
  return (
    url.protocol === 'https:' ||
    (url.protocol === 'http:' && /^(127\.|localhost$|\[::1\]$)/.test(url.hostname))
  );
}

/** Whether the token is wrong, rather than its provider out of reach. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return false;
  return !(
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    error.code === 'ERR_JOSE_GENERIC'
  );
}

function refused(): RelayError {
  return new RelayError('identity-required', 'not an ID token that is good for this', { reason: 'refused' });
}
