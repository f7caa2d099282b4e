import { fromBase64Url, type Secret } from '@keytide/crypto-core';
import { p256Signer } from '@keytide/crypto-core/node';
import { RelayError } from '../errors.ts';
import { awsCredentials } from '../keys/aws-credentials.ts';
import { secretReader, secretText } from '../keys/secrets.ts';
import { openVault, type Vault } from '../keys/vault.ts';
import type { PushOptions } from '../push/senders.ts';
import { SECRET_KEYS, vaultOf, type Config } from './config-schema.ts';

type SecretKey = (typeof SECRET_KEYS)[number];

const VAPID_BYTES = 32;
const WEBHOOK_BYTES = 32;

/**
 * How a configuration has devices told, its secrets read.
 * @throws RelayError `bad-reference`, `secret-missing`, `secret-unusable`, `key-service-failed`,
 * `key-service-refused`; the message begins with the key of the configuration
 */
export async function openPush(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<PushOptions> {
  const { webPushSubject: subject, webhookUrl: url, pushAllow: allow } = config;
  const secrets = await readSecrets(config, environment);
  const text = (key: SecretKey): string | undefined => secrets.get(key);
  const [vapid, token, webhook] = [text('webPushKey'), text('expoAccessToken'), text('webhookSecret')];
  return {
    ...(vapid === undefined || subject === undefined ? {} : { webPush: { key: vapidKeyIn(vapid), subject } }),
    ...(config.expoPush ? { expo: token === undefined ? {} : { accessToken: token } } : {}),
    ...(webhook === undefined || url === undefined
      ? {}
      : { webhook: { url, secret: webhookSecretIn(webhook) } }),
    allow,
  };
}

async function readSecrets(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ReadonlyMap<SecretKey, string>> {
  const named = SECRET_KEYS.flatMap((key): [SecretKey, string][] => {
    const reference = config[key];
    return reference === undefined ? [] : [[key, reference]];
  });
  const secrets = new Map<SecretKey, string>();
  let vault: Vault | null = null;
  try {
    for (const [key, reference] of named) {
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
        secrets.set(key, textOf(await read(reference)));
      } catch (error) {
        throw error instanceof RelayError ? about(key, error) : error;
      }
    }
    return secrets;
  } finally {
    vault?.close();
  }
}

function textOf(secret: Secret): string {
  const text = secretText(secret);
  if (!/^[\x21-\x7e]+$/.test(text)) throw new RelayError('secret-unusable', 'the secret is no word of ASCII');
  return text;
}

function vapidKeyIn(text: string): Uint8Array {
  const key = fromBase64Url(text);
  try {
    if (key?.length !== VAPID_BYTES) throw new TypeError('not 32 bytes');
    p256Signer(key);
    return key;
  } catch {
    throw about('webPushKey', new RelayError('secret-unusable', '32 bytes as base64url, a key of P-256'));
  }
}

function webhookSecretIn(text: string): Uint8Array {
  const secret = fromBase64Url(text);
  if (secret !== null && secret.length >= WEBHOOK_BYTES) return secret;
  throw about('webhookSecret', new RelayError('secret-unusable', '32 bytes or more as base64url'));
}

function about(key: SecretKey, { code, message, reason }: RelayError): RelayError {
  return new RelayError(code, `${key}: ${message}`, { reason: reason ?? key });
}
