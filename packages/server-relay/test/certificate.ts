import { execFile } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TlsFiles } from '../src/tls-files.ts';

/** Makes a certificate for loopback that signs itself, by OpenSSL's program, for a day. */
export async function makeCertificate(folder: string, name: string): Promise<TlsFiles> {
  const certificateFile = join(folder, `${name}.pem`);
  const keyFile = join(folder, `${name}-key.pem`);
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const files = ['-keyout', keyFile, '-out', certificateFile];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ed25519', '-nodes', '-days', '1'],
    ...files,
    ...subject,
  ]);
  await chmod(keyFile, 0o600);
  return { certificateFile, keyFile };
}
