import { RelayError } from '../errors.ts';
import type { Config } from './config-schema.ts';
import { about, readConfigSecrets, type Environment } from './config-secrets.ts';

/** A key of the configuration that holds an address, or says where it is. */
export type AddressKey = 'databaseUrl' | 'redisUrl';

/** What an address of each key begins with. */
const BEGINNINGS = { databaseUrl: /^postgres(ql)?:\/\//, redisUrl: /^rediss?:\/\// } as const;

/**
 * The configuration with the addresses themselves, where these keys name places that keep them.
 * @throws RelayError as `readConfigSecrets`
 */
export async function withAddresses(
  config: Config,
  keys: readonly AddressKey[],
  environment: Environment,
): Promise<Config> {
  const addresses = await readConfigSecrets(config, keys, environment);
  for (const [key, address] of addresses)
    if (!BEGINNINGS[key].test(address) || !URL.canParse(address))
      throw about(key, new RelayError('secret-unusable', 'the secret is no such address'));
  return { ...config, ...Object.fromEntries(addresses) };
}
