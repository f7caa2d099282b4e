import {
  CryptoError,
  parseAccessRequest,
  toHex,
  verifyAccessRequest,
  type AccessRequest,
  type DeviceId,
  type Primitives,
} from '@keytide/crypto-core';
import { isActive, type Device, type DirectoryState } from '@keytide/key-directory';
import type { GrantRecord } from './entitlement.ts';

/**
 * Why a request is not answered. `not-a-member`: by no device that is active now. `replayed`: older than a grant that
 * its device has had since. `expired`: older than the relay may keep it. `other-log`: it names a membership log that
 * is not this device's. Otherwise as CryptoError has it; `wrong-context` is one for another organisation or group.
 */
export type RequestRejection =
  | 'not-a-member'
  | 'replayed'
  | 'expired'
  | 'other-log'
  | 'bad-signature'
  | 'bad-key'
  | 'wrong-context'
  | 'malformed'
  | 'too-large'
  | 'unsupported-version';

/** A request that an admin may decide, or why nobody does. `null`: it has its grant. */
export type ReadRequest =
  | { readonly request: AccessRequest; readonly from: Device }
  | { readonly code: RequestRejection }
  | null;

/**
 * What checking signatures and keys has said of requests, by the SHA-256 of what travelled: it says the same again, and
 * costs more than all the rest.
 */
export type VerifiedRequests = Map<string, AccessRequest | RequestRejection>;

interface ReadingContext {
  readonly primitives: Primitives;
  readonly state: DirectoryState;
  readonly nowMs: number;
  /** The root of this device's log at a size; `null` when it is shorter. */
  rootAt(size: number): Uint8Array | null;
  readonly verified: VerifiedRequests;
  grantsTo(device: DeviceId): readonly GrantRecord[];
}

/** Reads a request that the relay shows, by this device's own log. */
export function readRequest(context: ReadingContext, wire: Uint8Array): ReadRequest {
  const { primitives, state, nowMs } = context;
  try {
    const { device, hash } = parseAccessRequest(primitives, wire);
    const from = state.devices.get(device);
    if (from === undefined || !isActive(state, device)) return { code: 'not-a-member' };
    const request = verifiedOnce(context, from, wire);
    if (typeof request === 'string') return { code: request };
    if (request.org !== state.org || request.group !== state.everyone) return { code: 'wrong-context' };
    if (state.grants.has(toHex(hash))) return null;
    const { size, root } = request.checkpoint;
    const own = context.rootAt(size);
    if (own === null || toHex(own) !== toHex(root)) return { code: 'other-log' };
    // A device that asks anew has seen the grants it had: what names a shorter log is an old request, shown again.
    if (context.grantsTo(device).some(({ index }) => index >= size)) return { code: 'replayed' };
    if (request.createdMs + state.policy.exportSeconds * 1000 < nowMs) return { code: 'expired' };
    return { request, from };
  } catch (error) {
    if (error instanceof CryptoError) return { code: error.code as RequestRejection };
    throw error;
  }
}

function verifiedOnce(
  { primitives, verified }: ReadingContext,
  { signingPublicKey }: Device,
  wire: Uint8Array,
): AccessRequest | RequestRejection {
  const name = toHex(primitives.sha256(wire));
  const known = verified.get(name);
  if (known !== undefined) return known;
  let found: AccessRequest | RequestRejection;
  try {
    found = verifyAccessRequest(primitives, primitives.verifier(signingPublicKey), wire);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    found = error.code as RequestRejection;
  }
  verified.set(name, found);
  return found;
}
