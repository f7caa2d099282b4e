import { fromBase64Url } from '@keytide/crypto-core';
import { p256Signer } from '@keytide/crypto-core/node';
import { RelayError } from '../errors.ts';
import type { PushOptions } from '../push/senders.ts';
import type { Config } from './config-schema.ts';
import { about, readConfigSecrets, type Environment } from './config-secrets.ts';

const PUSH_SECRETS = ['webPushKey', 'expoAccessToken', 'webhookSecret'] as const;

const VAPID_BYTES = 32;
const WEBHOOK_BYTES = 32;

/**
 * How a configuration has devices told, its secrets read.
 * @throws RelayError `bad-reference`, `secret-missing`, `secret-unusable`, `key-service-failed`,
 * `key-service-refused`; the message begins with the key of the configuration
 */
export async function openPush(config: Config, environment: Environment): Promise<PushOptions> {
  const { webPushSubject: subject, webhookUrl: url, pushAllow: allow } = config;
  const secrets = await readConfigSecrets(config, PUSH_SECRETS, environment);
  const [vapid, token, webhook] = PUSH_SECRETS.map((key) => secrets.get(key));
  return {
    ...(vapid === undefined || subject === undefined ? {} : { webPush: { key: vapidKeyIn(vapid), subject } }),
    ...(config.expoPush ? { expo: token === undefined ? {} : { accessToken: token } } : {}),
    ...(webhook === undefined || url === undefined
      ? {}
      : { webhook: { url, secret: webhookSecretIn(webhook) } }),
    allow,
  };
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
