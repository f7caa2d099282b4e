import { toHex } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import type { DeviceId } from '../ids.ts';
import type { KeyStore, KeyStoreChange } from '../key-store.ts';
import type { OpenedBoxMessage } from './box-message.ts';

const NOTHING = new Uint8Array(0);

/**
 * The change that remembers a message for as long as the sealing key that opens it is kept.
 * @throws CryptoError `replayed` for one that is remembered
 */
export async function rememberMessage(
  store: KeyStore,
  sender: DeviceId,
  message: OpenedBoxMessage,
): Promise<KeyStoreChange> {
  const name = `${seenPrefix(message.keyId)}${sender}/${toHex(message.messageId)}`;
  if ((await store.get(name)) !== null) throw new CryptoError('replayed', 'this message was opened before');
  return { name, value: NOTHING };
}

/**
 * The changes that forget which messages to this sealing key were opened. Write them with the one that deletes
 * its secret, and never without it: from then on nothing else refuses those messages.
 */
export async function forgetSeenMessages(store: KeyStore, keyId: string): Promise<KeyStoreChange[]> {
  return (await store.names(seenPrefix(keyId))).map((name) => ({ name, value: null }));
}

function seenPrefix(keyId: string): string {
  return `pairwise/seen/${keyId}/`;
}
