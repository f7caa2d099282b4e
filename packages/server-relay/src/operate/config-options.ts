import type { WrappingKeySettings } from '../keys/open-wrapping-keys.ts';
import type { RelayOptions } from '../relay.ts';
import type { Config } from './config-schema.ts';

/** What a configuration asks `startRelay` for. */
export function relayOptionsOf(config: Config): RelayOptions {
  const { host, port, publicUrl, oidcIssuer: issuer, oidcClientId: clientId } = config;
  const { tlsCertificateFile, tlsKeyFile } = config;
  return {
    database: databaseOf(config),
    host,
    port,
    origins: config.origins,
    trustedProxies: config.trustedProxies,
    limits: Object.fromEntries(Object.entries(config.limits).filter(([, value]) => value !== undefined)),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(issuer === undefined || clientId === undefined ? {} : { identity: { issuer, clientId } }),
    ...(tlsCertificateFile === undefined || tlsKeyFile === undefined
      ? {}
      : { tls: { certificateFile: tlsCertificateFile, keyFile: tlsKeyFile } }),
  };
}

/** The wrapping keys that a configuration names; `null` for the key file alone. */
export function wrappingKeysOf(config: Config): Omit<WrappingKeySettings, 'environment' | 'log'> | null {
  const { awsKmsEndpoint } = config;
  const [first, ...others] = config.wrappingKeys;
  if (first === undefined) return null;
  const vault = vaultOf(config);
  return {
    references: [first, ...others],
    ...(awsKmsEndpoint === undefined ? {} : { awsEndpoint: awsKmsEndpoint }),
    ...(vault === null ? {} : { vault }),
  };
}

/** Where a configuration has Vault; `null` without one. */
export function vaultOf(config: Config): NonNullable<WrappingKeySettings['vault']> | null {
  const { vaultAddress: address, vaultTokenFile: tokenFile, vaultNamespace: namespace } = config;
  if (address === undefined || tokenFile === undefined) return null;
  return { address, tokenFile, ...(namespace === undefined ? {} : { namespace }) };
}

/** Where a configuration keeps its data. */
function databaseOf(config: Config): RelayOptions['database'] {
  const { dataFolder, databaseUrl, keyFile, blobFolder, nodes, redisUrl } = config;
  if (databaseUrl === undefined || keyFile === undefined) return { kind: 'pglite', folder: dataFolder ?? '' };
  return {
    kind: 'postgres',
    url: databaseUrl,
    keyFile,
    ...(blobFolder === undefined ? {} : { blobFolder }),
    ...(nodes === 1 ? {} : { cluster: redisUrl === undefined ? {} : { redisUrl } }),
  };
}
