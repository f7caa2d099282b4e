import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { RelayError } from './errors.ts';
import { TOO_OPEN } from './key-file.ts';

/** Where the certificate chain and the private key of a relay that speaks TLS itself are, both PEM. */
export interface TlsFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** What `node:tls` takes. */
export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Reads both, and makes sure that they belong together.
 * @throws RelayError `tls-unusable`: not to be read, not PEM, of two pairs, or a key that is open to others
 */
export async function readTls({ certificateFile, keyFile }: TlsFiles): Promise<TlsPair> {
  try {
    const { mode } = await stat(keyFile);
    if (process.platform !== 'win32' && (mode & TOO_OPEN) !== 0)
      throw new RelayError('tls-unusable', 'the key of the certificate is open to others: chmod 600');
    const pair = { cert: await readFile(certificateFile), key: await readFile(keyFile) };
    createSecureContext(pair);
    return pair;
  } catch (cause) {
    if (cause instanceof RelayError) throw cause;
    throw new RelayError('tls-unusable', 'the certificate and its key cannot be used', { cause });
  }
}
