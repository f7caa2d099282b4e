import { equalBytes } from '@keytide/crypto-core';
import type { Policy } from '@keytide/key-directory';
import { ClientError } from './errors.ts';
import type { Ports } from './ports.ts';
import { readRelayKey } from './relay-api.ts';

/**
 * The policy with the key that the relay shows: from here on whatever it says of the log has to be signed with it.
 * A relay of before there were checkpoints has none, and is held to the replay of its log alone.
 * @throws ClientError `offline`; `relay-misbehaved` when the policy names another key
 */
export async function pinRelay(ports: Ports, relayUrl: string, policy: Policy): Promise<Policy> {
  const shown = await readRelayKey(ports, relayUrl);
  const { relayKey: given } = policy;
  if (given !== undefined && (shown === null || !equalBytes(given, shown)))
    throw new ClientError('relay-misbehaved', 'the relay shows another key than the policy names');
  return pinned(policy, shown ?? undefined);
}

/** The policy, with this key where it names none. */
export function pinned(policy: Policy, relayKey: Uint8Array | undefined): Policy {
  return relayKey === undefined ? policy : { relayKey, ...policy };
}
