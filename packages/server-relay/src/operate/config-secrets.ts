import { awsCredentials } from '../keys/aws-credentials.ts';
import { RelayError } from '../errors.ts';
import { secretReader, secretText } from '../keys/secrets.ts';
import { openVault, type Vault } from '../keys/vault.ts';
import { vaultOf } from './config-options.ts';
import { SECRET_KEYS, type Config } from './config-schema.ts';

/** A key of the configuration whose value says where a secret is. */
export type SecretKey = (typeof SECRET_KEYS)[number];

/** The variables of a process, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the secrets that these keys name, as words of ASCII; a key that is not set, or that holds an address itself, is
 * left out.
 * @throws RelayError `bad-reference`, `secret-missing`, `secret-unusable`, `key-service-failed`,
 * `key-service-refused`; the message begins with the key of the configuration
 */
export async function readConfigSecrets<K extends SecretKey>(
  config: Config,
  keys: readonly K[],
  environment: Environment,
): Promise<ReadonlyMap<K, string>> {
  const secrets = new Map<K, string>();
  let vault: Vault | null = null;
  try {
    for (const key of keys) {
      const reference = config[key];
      if (reference === undefined || !isReference(reference)) continue;
      try {
        const place = reference.startsWith('vault:') ? vaultOf(config) : null;
        if (place !== null) vault ??= await openVault(place);
        const region = environment['AWS_REGION'];
        const read = secretReader({
          environment,
          ...(reference.startsWith('aws-secret:')
            ? { aws: { credentials: awsCredentials({ environment }), ...(region ? { region } : {}) } }
            : {}),
          ...(vault === null ? {} : { vault }),
        });
        const text = secretText(await read(reference));
        if (!/^[\x21-\x7e]+$/.test(text))
          throw new RelayError('secret-unusable', 'the secret is no word of ASCII');
        secrets.set(key, text);
      } catch (error) {
        throw error instanceof RelayError ? about(key, error) : error;
      }
    }
    return secrets;
  } finally {
    vault?.close();
  }
}

/** The error, with the key that it is about. */
export function about(key: SecretKey, { code, message, reason }: RelayError): RelayError {
  return new RelayError(code, `${key}: ${message}`, { reason: reason ?? key });
}

/** Whether a value says where something is, and is not the thing itself. */
export function isReference(value: string | undefined): boolean {
  return value !== undefined && !/^[a-z]+:\/\//.test(value);
}
