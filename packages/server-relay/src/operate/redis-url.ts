import { secretReader, secretText } from '../keys/secrets.ts';
import type { Config } from './config-schema.ts';

/**
 * The configuration with the address of Redis itself, where it names a place that keeps it.
 * @throws RelayError `secret-missing`, `secret-unusable`
 */
export async function withRedisUrl(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Config> {
  const { redisUrl } = config;
  if (redisUrl === undefined || /^rediss?:/.test(redisUrl)) return config;
  return { ...config, redisUrl: secretText(await secretReader({ environment })(redisUrl)) };
}
