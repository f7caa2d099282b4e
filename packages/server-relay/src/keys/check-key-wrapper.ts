import { asciiBytes, CryptoError, equalBytes, type Random } from '@keytide/crypto-core';
import { RelayError } from '../errors.ts';
import type { KeyWrapper } from '../key-wrapper.ts';

const CONTEXT = asciiBytes('keytide/check');
const OTHER_CONTEXT = asciiBytes('keytide/check-other');

/**
 * Wraps 32 random bytes and opens them again: that the key is there, may be used for both, and binds the context.
 * @throws RelayError `data-key-unusable` if something else comes back, or if it opens under another context; and what
 * the wrapper throws
 */
export async function checkKeyWrapper(wrapper: KeyWrapper, random: Random): Promise<void> {
  const probe = random(32);
  const wrapped = await wrapper.wrap(probe, CONTEXT);
  if (!equalBytes(await wrapper.unwrap(wrapper.keyName, wrapped, CONTEXT), probe))
    throw new RelayError('data-key-unusable', 'the wrapping key does not give back what it was given');
  try {
    await wrapper.unwrap(wrapper.keyName, wrapped, OTHER_CONTEXT);
  } catch (error) {
    if (error instanceof CryptoError && error.code === 'decryption-failed') return;
    throw error;
  }
  throw new RelayError('data-key-unusable', 'the wrapping key binds no context');
}
