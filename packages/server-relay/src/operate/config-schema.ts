import { z } from 'zod';
import { serviceAddress } from '../keys/service-call.ts';
import { DEFAULT_LIMITS, type RelayLimits } from '../limits.ts';
import { mayIssue } from '../identity-check.ts';
import { maySendTo } from '../push/push-http.ts';

/** The configuration of a service, complete. What each key is for: docs/guides/operating-a-relay.md. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly publicUrl?: string | undefined;
  readonly trustedProxies: number;
  readonly origins: readonly string[];
  readonly dataFolder?: string | undefined;
  readonly databaseUrl?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly blobFolder?: string | undefined;
  readonly s3Bucket?: string | undefined;
  readonly s3Region?: string | undefined;
  readonly s3Endpoint?: string | undefined;
  readonly s3PathStyle?: boolean | undefined;
  readonly s3AccessKeyId?: string | undefined;
  readonly s3SecretKey?: string | undefined;
  readonly nodes: number;
  readonly redisUrl?: string | undefined;
  readonly wrappingKeys: readonly string[];
  readonly awsKmsEndpoint?: string | undefined;
  readonly vaultAddress?: string | undefined;
  readonly vaultTokenFile?: string | undefined;
  readonly vaultNamespace?: string | undefined;
  readonly webPushKey?: string | undefined;
  readonly webPushSubject?: string | undefined;
  readonly expoPush: boolean;
  readonly expoAccessToken?: string | undefined;
  readonly webhookUrl?: string | undefined;
  readonly webhookSecret?: string | undefined;
  readonly pushAllow: readonly string[];
  readonly oidcIssuer?: string | undefined;
  readonly oidcClientId?: string | undefined;
  readonly tlsCertificateFile?: string | undefined;
  readonly tlsKeyFile?: string | undefined;
  readonly managementHost: string;
  readonly managementPort: number;
  readonly drainSeconds: number;
  readonly shutdownSeconds: number;
  readonly limits: { readonly [name in keyof RelayLimits]?: number | undefined };
}

const path = z.string().min(1);

/** A whole number, also as the text of a variable. */
function whole(least: number, most: number): z.ZodType<number> {
  const text = z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number);
  return z.union([z.number(), text]).pipe(z.int().min(least).max(most));
}

const origins = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(',').filter((part) => part !== ''))])
  .pipe(
    z.array(
      z
        .string()
        .regex(/^https?:\/\/[^/*]+$/)
        .refine((text) => URL.canParse(text)),
    ),
  );

const wrappingKeys = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(',').filter((part) => part !== ''))])
  .pipe(z.array(z.string().regex(/^(file|aws-kms|vault):./)));

/** Where a secret is, as `secretReader` has it. */
const reference = z.string().regex(/^(file|env|aws-secret|vault):./);
const yesOrNo = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);

const limitNames = Object.keys(DEFAULT_LIMITS) as (keyof RelayLimits)[];
const limits = z
  .union([z.record(z.string(), z.unknown()), z.string().transform(jsonOf)])
  .pipe(
    z.strictObject(
      Object.fromEntries(limitNames.map((name) => [name, z.number().positive().optional()])) as Record<
        keyof RelayLimits,
        z.ZodOptional<z.ZodNumber>
      >,
    ),
  );

/** Each key of the configuration; what `describe` says is both its documentation and what to do about a wrong value. */
const shape = {
  host: z.string().min(1).default('127.0.0.1').describe('the address to listen on; 0.0.0.0 for every one'),
  port: whole(0, 65_535).default(8080).describe('the port to listen on, 0 to 65535; 0 takes a free one'),
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('the URL under which devices reach the relay, such as https://relay.example'),
  trustedProxies: whole(0, 8)
    .default(0)
    .describe(
      'how many proxies of yours stand before it, 0 to 8, each adding the address that it saw to X-Forwarded-For: strangers are told apart by it',
    ),
  origins: origins
    .default([])
    .describe(
      'the origins of web pages that may use it, such as https://app.example; in the variable by commas',
    ),
  dataFolder: path.optional().describe('the folder of the embedded database; instead of databaseUrl'),
  databaseUrl: z
    .string()
    .regex(/^(postgres(ql)?:\/\/|(file|env|aws-secret|vault):.)/)
    .optional()
    .describe(
      'a PostgreSQL database, as postgres://user:password@host:5432/name, or the secret that says so, as file:PATH, env:NAME, aws-secret:NAME or vault:MOUNT/PATH#FIELD; instead of dataFolder',
    ),
  keyFile: path
    .optional()
    .describe("with databaseUrl: the file of the relay's key, made at the first start and to be kept"),
  blobFolder: path
    .optional()
    .describe('with databaseUrl: the folder of attachments; by default blobs beside keyFile'),
  s3Bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
    .optional()
    .describe('the bucket of attachments, at AWS or any service that speaks S3; instead of blobFolder'),
  s3Region: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/)
    .optional()
    .describe('with s3Bucket: its region, by default us-east-1'),
  s3Endpoint: z
    .string()
    .refine(isServiceAddress)
    .optional()
    .describe(
      "with s3Bucket: the address of the service, if it is not AWS's own; https, or http on this machine",
    ),
  s3PathStyle: yesOrNo
    .optional()
    .describe(
      'with s3Bucket: true to have the bucket in the path, false in the host; by default in the path with s3Endpoint',
    ),
  s3AccessKeyId: z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/)
    .optional()
    .describe('with s3SecretKey: the id of the access key; without the two, the credentials of AWS'),
  s3SecretKey: reference
    .optional()
    .describe(
      'with s3AccessKeyId: the secret with the access key itself, as file:PATH, env:NAME, aws-secret:NAME or vault:MOUNT/PATH#FIELD',
    ),
  nodes: whole(1, 64)
    .default(1)
    .describe(
      'how many relays serve the database together, 1 to 64; with more than 1, all with the same keyFile, publicUrl and blobFolder or s3Bucket',
    ),
  redisUrl: z
    .string()
    .regex(/^(rediss?:\/\/|(file|env|aws-secret|vault):)./)
    .optional()
    .describe(
      'with nodes above 1: Redis for wake-ups, as redis://user:password@host:6379 or rediss://…, or the secret that says so, as for databaseUrl; without it PostgreSQL carries them',
    ),
  wrappingKeys: wrappingKeys
    .default([])
    .describe(
      "what wraps the keys of organisations' data, file:PATH, aws-kms:ARN or vault:MOUNT/KEY, the first for what is new, by default the key file; in the variable by commas",
    ),
  awsKmsEndpoint: z.url().optional().describe("the address of KMS, if it is not AWS's own"),
  vaultAddress: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('with vault: in a reference: the address of Vault, https, or http on this machine'),
  vaultTokenFile: path
    .optional()
    .describe('with vaultAddress: the file with the token, as Vault Agent keeps it'),
  vaultNamespace: path.optional().describe('with vaultAddress: the namespace, if there is one'),
  webPushKey: reference
    .optional()
    .describe(
      'to push by Web Push: the secret with the VAPID key, 32 bytes as base64url, as file:PATH, env:NAME, aws-secret:NAME or vault:MOUNT/PATH#FIELD; with webPushSubject',
    ),
  webPushSubject: z
    .string()
    .regex(/^(mailto:[^@]+@[^@]+|https:\/\/.+)$/)
    .optional()
    .describe('with webPushKey: how push services reach you, a mailto: or https: URL'),
  expoPush: yesOrNo.default(false).describe("true to push by Expo's service"),
  expoAccessToken: reference
    .optional()
    .describe('with expoPush: the secret with the access token of the Expo account, where it asks for one'),
  webhookUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'to push by a service of your own: its URL, https at a name and port 443, or of an origin in pushAllow; with webhookSecret',
    ),
  webhookSecret: reference
    .optional()
    .describe('with webhookUrl: the secret that signs what it is sent, 32 bytes or more as base64url'),
  pushAllow: origins
    .default([])
    .describe(
      'origins that push may go to although they are not public or not https, such as http://10.0.0.7:9000; in the variable by commas',
    ),
  oidcIssuer: z
    .string()
    .refine(mayIssue)
    .optional()
    .describe(
      'the OpenID provider that has to vouch for whoever founds an organisation or uses an invite: its issuer, https; with oidcClientId',
    ),
  oidcClientId: z
    .string()
    .min(1)
    .optional()
    .describe('with oidcIssuer: as which client the provider knows the app'),
  tlsCertificateFile: path.optional().describe('the certificate chain, PEM; with tlsKeyFile'),
  tlsKeyFile: path.optional().describe('its private key, PEM, chmod 600; with tlsCertificateFile'),
  managementHost: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('the address of probes and metrics; keep it from the public'),
  managementPort: whole(0, 65_535).default(9464).describe('the port of probes and metrics, 0 to 65535'),
  drainSeconds: whole(0, 3600)
    .default(5)
    .describe('over how many seconds sockets are let go at SIGTERM, 0 to 3600, fewer than shutdownSeconds'),
  shutdownSeconds: whole(1, 3600)
    .default(25)
    .describe('after how many seconds a SIGTERM ends the process in any case, 1 to 3600'),
  limits: limits
    .default({})
    .describe('an object of limits to differ in, each a number above 0; in the variable as JSON'),
};

/** The keys whose values say where a secret is. */
export const SECRET_KEYS = [
  'databaseUrl',
  'redisUrl',
  's3SecretKey',
  'webPushKey',
  'expoAccessToken',
  'webhookSecret',
] as const;

/** The one schema of the service's configuration. */
export const configSchema: z.ZodType<Config> = z.strictObject(shape).superRefine((config, context) => {
  const wrong = (key: keyof typeof shape, message: string): void =>
    context.addIssue({ code: 'custom', path: [key], message });
  if ((config.dataFolder === undefined) === (config.databaseUrl === undefined))
    wrong('databaseUrl', 'give this for PostgreSQL, or dataFolder for the embedded database; one of the two');
  if (config.databaseUrl !== undefined && config.keyFile === undefined)
    wrong('keyFile', shape.keyFile.description as string);
  if (config.databaseUrl === undefined && config.keyFile !== undefined)
    wrong('keyFile', 'only with databaseUrl: the embedded database keeps its keys in dataFolder');
  if (config.databaseUrl === undefined && config.blobFolder !== undefined)
    wrong('blobFolder', 'only with databaseUrl: the embedded database keeps attachments in dataFolder');
  if (config.s3Bucket !== undefined && config.blobFolder !== undefined)
    wrong('s3Bucket', shape.s3Bucket.description as string);
  for (const key of ['s3Region', 's3Endpoint', 's3PathStyle', 's3AccessKeyId', 's3SecretKey'] as const)
    if (config.s3Bucket === undefined && config[key] !== undefined)
      wrong('s3Bucket', `give this with ${key}: ${shape.s3Bucket.description}`);
  if (config.s3AccessKeyId === undefined && config.s3SecretKey !== undefined)
    wrong('s3AccessKeyId', shape.s3AccessKeyId.description as string);
  if (config.s3SecretKey === undefined && config.s3AccessKeyId !== undefined)
    wrong('s3SecretKey', shape.s3SecretKey.description as string);
  if (config.nodes > 1 && config.databaseUrl === undefined)
    wrong('nodes', 'more than 1 only with databaseUrl: the embedded database has one relay');
  if (config.nodes > 1 && config.publicUrl === undefined)
    wrong('publicUrl', 'give this with nodes above 1: logins are bound to it, at every node');
  if (config.nodes === 1 && config.redisUrl !== undefined)
    wrong('redisUrl', 'only with nodes above 1: a relay that is alone has nobody to wake');
  const secrets = SECRET_KEYS.map((key) => config[key] ?? '');
  if (
    config.vaultAddress === undefined &&
    [...config.wrappingKeys, ...secrets].some((one) => one.startsWith('vault:'))
  )
    wrong('vaultAddress', shape.vaultAddress.description as string);
  if (config.vaultAddress !== undefined && config.vaultTokenFile === undefined)
    wrong('vaultTokenFile', shape.vaultTokenFile.description as string);
  if (config.webPushSubject === undefined && config.webPushKey !== undefined)
    wrong('webPushSubject', shape.webPushSubject.description as string);
  if (config.webPushKey === undefined && config.webPushSubject !== undefined)
    wrong('webPushKey', shape.webPushKey.description as string);
  if (!config.expoPush && config.expoAccessToken !== undefined)
    wrong('expoPush', shape.expoPush.description as string);
  if (config.webhookSecret === undefined && config.webhookUrl !== undefined)
    wrong('webhookSecret', shape.webhookSecret.description as string);
  const allowed = new Set(config.pushAllow.map((origin) => URL.parse(origin)?.origin ?? ''));
  if (
    (config.webhookUrl === undefined && config.webhookSecret !== undefined) ||
    (config.webhookUrl !== undefined && !maySendTo(config.webhookUrl, allowed))
  )
    wrong('webhookUrl', shape.webhookUrl.description as string);
  if (config.oidcIssuer === undefined && config.oidcClientId !== undefined)
    wrong('oidcIssuer', shape.oidcIssuer.description as string);
  if (config.oidcClientId === undefined && config.oidcIssuer !== undefined)
    wrong('oidcClientId', shape.oidcClientId.description as string);
  if (config.tlsCertificateFile === undefined && config.tlsKeyFile !== undefined)
    wrong('tlsCertificateFile', shape.tlsCertificateFile.description as string);
  if (config.tlsKeyFile === undefined && config.tlsCertificateFile !== undefined)
    wrong('tlsKeyFile', shape.tlsKeyFile.description as string);
  if (config.drainSeconds >= config.shutdownSeconds)
    wrong('drainSeconds', 'fewer seconds than shutdownSeconds, so that there is time to finish');
});

/** Every key, and what it has to be. */
export const CONFIG_KEYS: ReadonlyMap<string, string> = new Map(
  Object.entries(shape).map(([key, { description }]) => [key, description ?? '']),
);

function isServiceAddress(text: string): boolean {
  try {
    serviceAddress(text);
    return true;
  } catch {
    return false;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
