import { signBytes, toBase64Url, type OrgId, type Primitives, type Signer } from '@keytide/crypto-core';
import {
  challengeResponse,
  loginBytes,
  sessionResponse,
  type SessionBody,
  type Subject,
} from '@keytide/relay-protocol';
import type { z } from 'zod';
import { ClientError } from './errors.ts';

/** Who logs in, and the key that proves it. */
export interface Login {
  readonly subject: Subject;
  readonly signer: Signer;
  /** Of who vouches for it, where the relay asks. */
  readonly idToken?: string;
  /** The organisation's first entry, for a relay that has lost it; `null` where it is not here. */
  readonly genesis?: () => Uint8Array | null;
}

interface RelaySessionOptions extends Login {
  readonly primitives: Primitives;
  /** The relay's origin: what a signature is good for. */
  readonly origin: string;
  readonly org: OrgId;
  /** Posts to a route of the organisation, without a session. */
  readonly post: <T>(path: string, answer: z.ZodType<T>, body: unknown) => Promise<T>;
  /** Hands the organisation's first entry in. */
  readonly found: (genesis: Uint8Array) => Promise<unknown>;
}

/** A session with the relay, begun, refreshed and begun again as it is needed (docs/spec/sessions.md, "Tokens"). */
export class RelaySession {
  readonly #options: RelaySessionOptions;
  /** The access token that there is, or that is being fetched. */
  #held: Promise<SessionBody> | null = null;
  /** In memory alone: whoever starts signs a challenge, so no disk and no old copy of one holds a refresh token. */
  #refreshToken: string | null = null;

  constructor(options: RelaySessionOptions) {
    this.#options = options;
  }

  /** What `fetch` has given or will give; `null` before, and after it was forgotten. */
  get held(): Promise<SessionBody> | null {
    return this.#held;
  }

  /** An access token: the one that there is, or a new one. @throws ClientError `offline`, `relay-refused`, `relay-misbehaved` */
  fetch(): Promise<SessionBody> {
    if (this.#held !== null) return this.#held;
    const held = (this.#held = this.#refresh());
    held.catch(() => this.forgetToken(held));
    return held;
  }

  /** Forgets this access token, unless another has taken its place, so that the next is fetched. */
  forgetToken(held: Promise<SessionBody> | null): void {
    if (this.#held === held) this.#held = null;
  }

  /** Forgets the session, so that the next begins with a challenge. */
  forget(): void {
    this.#held = null;
    this.#refreshToken = null;
  }

  /** A refresh token is not shown twice, whatever became of the answer: a challenge does without it. */
  async #refresh(): Promise<SessionBody> {
    const refreshToken = this.#refreshToken;
    this.#refreshToken = null;
    if (refreshToken === null) return this.#begin();
    try {
      return this.#keep(await this.#options.post('/sessions/refresh', sessionResponse, { refreshToken }));
    } catch (error) {
      if (error instanceof ClientError && error.code === 'relay-refused') return this.#begin();
      throw error;
    }
  }

  /**
   * Logs in; where that is refused, once more after the organisation was given back: a relay that was put back from a
   * backup of before it was founded does not know it (docs/spec/timeline.md). One that has it changes nothing.
   */
  async #begin(): Promise<SessionBody> {
    try {
      return await this.#logIn();
    } catch (error) {
      const genesis = this.#options.genesis?.() ?? null;
      if (genesis === null || !(error instanceof ClientError) || error.relayCode !== 'login-refused')
        throw error;
      try {
        await this.#options.found(genesis);
      } catch (failure) {
        // Whatever else it says to that, it has refused the login.
        throw failure instanceof ClientError && failure.code === 'offline' ? failure : error;
      }
      return await this.#logIn();
    }
  }

  async #logIn(): Promise<SessionBody> {
    const { subject, signer, idToken, primitives, origin, org, post } = this.#options;
    const { challenge } = await post('/challenges', challengeResponse, { subject });
    const claim = loginBytes({ relayName: origin, org, subject, challenge });
    const signature = signBytes(primitives, signer, 'login', claim);
    const answer = { subject, challenge: toBase64Url(challenge), signature: toBase64Url(signature) };
    const vouched = idToken === undefined ? {} : { idToken };
    return this.#keep(await post('/sessions', sessionResponse, { ...answer, ...vouched }));
  }

  #keep(session: SessionBody): SessionBody {
    this.#refreshToken = session.refreshToken ?? null;
    return session;
  }
}
