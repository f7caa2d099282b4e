import { RelayError } from '../errors.ts';
import { openDataKeyFile } from '../data-key-file.ts';
import type { KeyWrapper } from '../key-wrapper.ts';
import type { Log } from '../log-event.ts';
import { awsCredentials } from './aws-credentials.ts';
import { awsKmsKeyWrapper } from './aws-kms.ts';
import { keyRing } from './key-ring.ts';
import { openVault, type Vault } from './vault.ts';
import { vaultTransitKeyWrapper } from './vault-transit.ts';

/** Which wrapping keys a relay has, and where Vault is. */
export interface WrappingKeySettings {
  /**
   * The first wraps, each opens what it wrapped: `file:PATH` of a key file, `aws-kms:ARN`, `vault:MOUNT/KEY` or
   * `vault:MOUNT/KEY:vN` of transit.
   */
  readonly references: readonly [string, ...string[]];
  /** The variables with credentials of AWS, such as `process.env`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where KMS is, if not at AWS's own address. */
  readonly awsEndpoint?: string;
  readonly vault?: { readonly address: string; readonly tokenFile: string; readonly namespace?: string };
  readonly log?: Log;
}

/** Wrapping keys that are open. */
export interface OpenedWrappingKeys {
  readonly wrapper: KeyWrapper;
  /** Renews no token any more. */
  close(): void;
}

const TRANSIT = /^(.+)\/([^/:]+?)(?::v([1-9]\d{0,8}))?$/;

/**
 * Opens the keys that a configuration names, as one ring.
 * @throws RelayError `bad-reference`, `data-key-missing`, `data-key-unusable`, `secret-missing`, `secret-unusable`
 */
export async function openWrappingKeys(settings: WrappingKeySettings): Promise<OpenedWrappingKeys> {
  const { environment, awsEndpoint, log } = settings;
  let vault: Vault | null = null;

  async function open(reference: string): Promise<KeyWrapper> {
    const [kind, rest] = [reference.split(':', 1)[0], reference.slice(reference.indexOf(':') + 1)];
    if (kind === 'file' && rest !== '') return openDataKeyFile(rest);
    if (kind === 'aws-kms') {
      const endpoint = awsEndpoint === undefined ? {} : { endpoint: awsEndpoint };
      return awsKmsKeyWrapper({ keyArn: rest, credentials: awsCredentials({ environment }), ...endpoint });
    }
    const [, mount, key, version] = kind === 'vault' ? (TRANSIT.exec(rest) ?? []) : [];
    if (mount === undefined || key === undefined || settings.vault === undefined)
      throw new RelayError('bad-reference', 'not a reference to a wrapping key that can be used here');
    vault ??= await openVault({ ...settings.vault, ...(log === undefined ? {} : { log }) });
    const chosen = version === undefined ? {} : { version: Number(version) };
    return vaultTransitKeyWrapper({ vault, mount, key, ...chosen });
  }

  const close = (): void => vault?.close();
  try {
    const [first, ...others] = settings.references;
    const current = await open(first);
    const former: KeyWrapper[] = [];
    for (const reference of others) former.push(await open(reference));
    return { wrapper: keyRing(current, ...former), close };
  } catch (error) {
    close();
    throw error;
  }
}
