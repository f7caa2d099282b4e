import { fromHex, toBase64Url, type Primitives } from '@keytide/crypto-core';
import { z } from 'zod';

/** Who has to vouch for whoever comes to a relay for the first time: an OpenID provider, and the client it knows. */
export interface IdentityProvider {
  readonly issuer: string;
  readonly clientId: string;
}

/** `GET /v1/enrolment`; `null`: nobody has to. */
export const enrolmentResponse: z.ZodType<{ identity: IdentityProvider | null }> = z.object({
  identity: z.object({ issuer: z.url(), clientId: z.string().min(1) }).nullable(),
});

/** An ID token (OpenID Connect Core 1.0): a JWT in its compact form. */
export const idToken: z.ZodType<string> = z
  .string()
  .max(16_384)
  .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/);

/**
 * The nonce that an ID token has to have: base64url of SHA-256 over the 32 bytes (as hex) of the invite's id, or of the
 * organisation's that is founded. So the token is of use for that alone (docs/spec/enrolment.md).
 */
export function enrolmentNonce(primitives: Pick<Primitives, 'sha256'>, id: string): string {
  return toBase64Url(primitives.sha256(fromHex(id) ?? new Uint8Array()));
}
