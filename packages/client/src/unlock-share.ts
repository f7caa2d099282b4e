import { CryptoError, Secret, toBase64Url, type Prove, type UnlockShareSource } from '@keytide/crypto-core';
import { unlockFetchResponse } from '@keytide/relay-protocol';
import { ClientError } from './errors.ts';
import type { TicketPlace } from './lease-place.ts';
import type { Ports } from './ports.ts';
import { callRelay } from './relay-api.ts';
import { parseTicket, proofContext, type UnlockTicket } from './unlock-ticket.ts';

/**
 * Gets the unlock share of a vault from the relay that keeps it, by the ticket that lies beside it: the `unlockShare`
 * to open a vault with.
 * @throws (from the returned function) ClientError `offline`; `lease-over` when the relay keeps no such share any more;
 *   `store-damaged` without a ticket; CryptoError `wrong-passphrase`, whose cause has the attempts left as `relayReason`
 */
export function unlockShareFrom(
  ports: Pick<Ports, 'fetch' | 'clock'>,
  place: Pick<TicketPlace, 'read'>,
): UnlockShareSource {
  return async (prove) => {
    const stored = await place.read();
    if (stored === null)
      throw new ClientError('store-damaged', 'the ticket of this vault’s unlock share is gone');
    const ticket = parseTicket(stored);
    for (const id of ticket.ids) {
      const share = await fetchShare(ports, ticket, id, prove);
      if (share !== null) return share;
    }
    throw new ClientError(
      'lease-over',
      'the relay no longer keeps the share that opens this device: nothing was heard of it for too long, it was ended, or there were too many wrong attempts',
    );
  };
}

/** `null` where the relay keeps none under this id. */
async function fetchShare(
  ports: Pick<Ports, 'fetch' | 'clock'>,
  { relay, org }: UnlockTicket,
  id: Uint8Array,
  prove: Prove,
): Promise<Secret | null> {
  const proof = prove(proofContext(relay, id));
  const body = { id: toBase64Url(id), proof: proof.use(toBase64Url) };
  proof.dispose();
  const url = `${relay}/v1/organisations/${org}/unlock-share/fetch`;
  try {
    const request = { method: 'POST', url, body, token: null };
    return Secret.own((await callRelay(ports, request, unlockFetchResponse)).share);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    if (error.relayCode === 'no-share') return null;
    if (error.relayCode === 'wrong-proof')
      throw new CryptoError('wrong-passphrase', 'the vault does not open with this passphrase', {
        cause: error,
      });
    throw error;
  }
}
