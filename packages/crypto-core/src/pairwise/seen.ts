import { toHex } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import type { DeviceId } from '../ids.ts';
import type { KeyStoreChange } from '../key-store.ts';
import type { OpenedBoxMessage } from './box-message.ts';
import type { PairwiseEndpoint } from './endpoint.ts';

const NOTHING = new Uint8Array(0);

/**
 * The change that remembers a message for as long as the sealing key that opens it is kept. Belongs into a turn of
 * the endpoint: the key may have been deleted since it opened the message, and what was seen forgotten with it.
 * @throws CryptoError `replayed` for one that is remembered, `decryption-failed` where the key is gone
 */
export async function rememberMessage(
  { store, sealingKey }: PairwiseEndpoint,
  sender: DeviceId,
  message: OpenedBoxMessage,
): Promise<KeyStoreChange> {
  if (sealingKey(message.keyId) === null)
    throw new CryptoError('decryption-failed', 'wrong key or altered bytes');
  const name = `${seenPrefix(message.keyId)}${sender}/${toHex(message.messageId)}`;
  if ((await store.get(name)) !== null) throw new CryptoError('replayed', 'this message was opened before');
  return { name, value: NOTHING };
}

/**
 * Forgets which messages to a sealing key were opened, in the one batch that deletes its secret: from then on nothing
 * else refuses those messages. `sealingKey` of the endpoint must give `null` for the key by now.
 * @param deletion the changes that delete the secret from the endpoint's store
 * @throws CryptoError `wrong-context` while the endpoint still opens messages with the key; whatever the store throws
 */
export function forgetSeenMessages(
  { store, sealingKey, inTurn }: PairwiseEndpoint,
  keyId: string,
  deletion: readonly KeyStoreChange[],
): Promise<void> {
  return inTurn(async () => {
    if (sealingKey(keyId) !== null)
      throw new CryptoError('wrong-context', 'a sealing key that still opens messages');
    const forgotten = (await store.names(seenPrefix(keyId))).map((name) => ({ name, value: null }));
    await store.write([...forgotten, ...deletion]);
  });
}

function seenPrefix(keyId: string): string {
  return `pairwise/seen/${keyId}/`;
}
