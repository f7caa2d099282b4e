import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';

const MAX_BYTES = 1024;
/** Of a file: its owner alone. Of a credential, which systemd keeps in a folder of the service's own: not everybody. */
const TOO_OPEN = { file: 0o077, credential: 0o007 } as const;

/**
 * Reads a passphrase by its reference, `file:PATH`, `env:NAME` or `credential:NAME`, without one line end behind it.
 * @throws CliError `secret-unusable`; the message repeats neither the reference nor the passphrase
 */
export async function readReference(
  reference: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const at = reference.indexOf(':');
  const [kind, rest] = [reference.slice(0, at), reference.slice(at + 1)];
  const text = kind === 'env' ? env[rest] : await readKept(kind as keyof typeof TOO_OPEN, rest, env);
  const passphrase = text?.replace(/\r?\n$/, '') ?? '';
  if (passphrase === '') throw unusable('is not there', 'Put it where passphrase in the configuration says.');
  return passphrase;
}

async function readKept(
  kind: keyof typeof TOO_OPEN,
  rest: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const folder = env['CREDENTIALS_DIRECTORY'];
  if (kind === 'credential' && folder === undefined)
    throw unusable('is to come from systemd, which gave no credentials', 'Give LoadCredential= in its unit.');
  const path = kind === 'credential' ? join(folder ?? '', rest) : rest;
  const file = await open(path).catch(() => {
    throw unusable(
      'cannot be read',
      'Put it where passphrase in the configuration says, for its owner alone.',
    );
  });
  try {
    const { mode, size } = await file.stat();
    if (process.platform !== 'win32' && (mode & TOO_OPEN[kind]) !== 0)
      throw unusable('can be read by others', 'Make its file for its owner alone: chmod 600.');
    if (size > MAX_BYTES) throw unusable('is too long', `It has ${MAX_BYTES} bytes at most.`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function unusable(what: string, next: string): CliError {
  return new CliError('secret-unusable', EXIT.usage, `the passphrase of this device ${what}`, next);
}
