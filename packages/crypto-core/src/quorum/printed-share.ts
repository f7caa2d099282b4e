import { bech32m } from '@scure/base';
import { CryptoError } from '../errors.ts';
import { Secret } from '../secret.ts';
import { SHARE_BYTES } from './share.ts';

const PREFIX = 'kts';
/** `kts1`, 106 characters for 66 bytes, 6 of checksum. */
const PRINTED_LENGTH = 116;
const GROUP = /.{4}/g;

/**
 * A share for paper or a QR code: Bech32m (BIP 350) in capitals, which QR codes store compactly, in 29 groups
 * of four. The text is as secret as the share, and cannot be wiped from memory.
 * @throws CryptoError `malformed` for bytes that are no share
 */
export function printShare(share: Secret): string {
  return share.use((bytes) => {
    if (bytes.length !== SHARE_BYTES) throw new CryptoError('malformed', `a share has ${SHARE_BYTES} bytes`);
    const text = bech32m.encode(PREFIX, bech32m.toWords(bytes), false);
    return (text.toUpperCase().match(GROUP) ?? []).join(' ');
  });
}

/**
 * Reads a printed share, whatever its case, spaces, line breaks and hyphens. The checksum is sure to find up
 * to three wrong characters, so also two that changed places.
 * @throws CryptoError `mistyped-share`; typing it again helps
 */
export function readPrintedShare(text: string): Secret {
  const plain = text.replaceAll(/[\s-]/g, '').toLowerCase();
  try {
    const { prefix, bytes } = bech32m.decodeToBytes(plain, PRINTED_LENGTH);
    if (prefix !== PREFIX || bytes.length !== SHARE_BYTES) throw new Error('not a share');
    return Secret.own(bytes);
  } catch {
    // The cause is left out: the library's messages quote the text.
    throw new CryptoError('mistyped-share', 'this is not what a share looks like in print');
  }
}
