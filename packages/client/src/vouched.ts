import { enrolmentNonce, enrolmentResponse, type IdentityProvider } from '@keytide/relay-protocol';
import { ClientError } from './errors.ts';
import type { Ports } from './ports.ts';
import { callRelay } from './relay-api.ts';

/** Of whom a relay wants to hear, and the nonce that the ID token has to have. */
export interface IdentityWanted extends IdentityProvider {
  readonly nonce: string;
}

/** What an enrolment may need beside keys. */
export interface Vouching {
  /**
   * Logs the person in at the OpenID provider, and answers the ID token. Called only where the relay asks for one. The
   * application MUST refuse an issuer or a client that it does not expect: the relay could name any.
   */
  readonly identify?: (wanted: IdentityWanted) => Promise<string>;
}

/**
 * Does `attempt`, and once more with an ID token if the relay asks for one. `id` is that of the invite or organisation.
 * @throws ClientError `identity-needed` without `identify`
 */
export async function vouched<T>(
  { ports, relayUrl, id, identify }: Vouching & { ports: Ports; relayUrl: string; id: string },
  attempt: (idToken?: string) => Promise<T>,
): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof ClientError) || error.relayCode !== 'identity-required') throw error;
    const url = `${new URL(relayUrl).origin}/v1/enrolment`;
    const request = { method: 'GET', url, body: undefined, token: null };
    const { identity } = await callRelay(ports, request, enrolmentResponse);
    if (identity === null) throw error;
    if (identify === undefined)
      throw new ClientError('identity-needed', 'this relay takes in nobody without an ID token');
    return await attempt(await identify({ ...identity, nonce: enrolmentNonce(ports.primitives, id) }));
  }
}
