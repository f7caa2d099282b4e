import { encodeCbor, fromHex, idBytes, type OrgId } from '@keytide/crypto-core';
import { ProtocolError } from './errors.ts';
import type { Subject } from './bodies.ts';

/** What a login signs over. */
export interface LoginClaim {
  /** The relay's public origin, such as `https://relay.example.org`: a signature for one relay is worthless at another. */
  readonly relayName: string;
  readonly org: OrgId;
  readonly subject: Subject;
  /** 32 bytes from `POST …/challenges`. */
  readonly challenge: Uint8Array;
}

/**
 * The bytes that the device's signing key (or the invite's, or the recovery key) signs with the label `login`:
 * CBOR [1, relayName, org(32), kind, id(32), challenge(32)]. docs/spec/sessions.md
 * @throws ProtocolError `malformed` for a subject id that is not 32 bytes of hex
 */
export function loginBytes(claim: LoginClaim): Uint8Array {
  const id = fromHex(claim.subject.id);
  if (id === null || id.length !== 32) throw new ProtocolError('malformed', 'not an id of 32 bytes');
  return encodeCbor([1, claim.relayName, idBytes(claim.org), claim.subject.kind, id, claim.challenge]);
}
