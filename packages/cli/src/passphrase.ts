import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { readLine } from './read-line.ts';

/** Fewer characters are refused for a new device. */
const MIN_PASSPHRASE_CHARACTERS = 8;
const MAX_PASSPHRASE_BYTES = 1024;

/** Where a passphrase can come from, in this order. */
export interface PassphraseSources {
  /** `--passphrase-fd`. */
  readonly fd: number | null;
  /** KEYTIDE_PASSPHRASE is taken out of it when it is read. */
  readonly env: Record<string, string | undefined>;
  /** How to ask a person, hidden; `null` when there is nobody to ask. */
  findPrompt(): ((message: string) => Promise<string>) | null;
}

/**
 * The passphrase of a device's store; for a new one long enough, and typed twice where it is typed.
 * @throws CliError `no-passphrase`, `passphrase-too-short`, `passphrases-differ`
 */
export async function readPassphrase(
  sources: PassphraseSources,
  purpose: 'create' | 'unlock',
): Promise<string> {
  const given = givenPassphrase(sources);
  if (given !== null) {
    if (purpose === 'create') assertLongEnough(given);
    return given;
  }
  const ask = sources.findPrompt();
  if (ask === null) {
    const next = 'Run it in a terminal, or give --passphrase-fd N or the variable KEYTIDE_PASSPHRASE.';
    throw new CliError('no-passphrase', EXIT.usage, 'there is nobody to ask for the passphrase', next);
  }
  if (purpose === 'unlock') return ask('Passphrase of this device:');
  const typed = await ask(`A passphrase for this device, at least ${MIN_PASSPHRASE_CHARACTERS} characters:`);
  assertLongEnough(typed);
  if ((await ask('The same passphrase again:')) === typed) return typed;
  const next = 'Run the command again and type the same passphrase twice.';
  throw new CliError('passphrases-differ', EXIT.usage, 'the two passphrases differ', next);
}

function givenPassphrase({ fd, env }: PassphraseSources): string | null {
  if (fd !== null) return readLine(fd, MAX_PASSPHRASE_BYTES);
  const value = env['KEYTIDE_PASSPHRASE'];
  delete env['KEYTIDE_PASSPHRASE'];
  return value ?? null;
}

function assertLongEnough(passphrase: string): void {
  if ([...passphrase.normalize('NFC')].length >= MIN_PASSPHRASE_CHARACTERS) return;
  const message = `a passphrase has at least ${MIN_PASSPHRASE_CHARACTERS} characters`;
  throw new CliError('passphrase-too-short', EXIT.usage, message, 'Choose a longer one, such as five words.');
}
