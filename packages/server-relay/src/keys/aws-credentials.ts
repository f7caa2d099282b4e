import { readFile } from 'node:fs/promises';
import { encodeUtf8, Secret, type Random } from '@keytide/crypto-core';
import { nodeRandom, type AwsCredentials } from '@keytide/crypto-core/node';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { RelayError } from '../errors.ts';
import type { AwsAccess } from './aws-service.ts';
import {
  CALL_LIMITS,
  callService,
  jsonOf,
  persist,
  serviceAddress,
  serviceFailed,
  serviceRefused,
  type CallLimits,
} from './service-call.ts';

/** Where credentials of AWS are looked for. */
export interface AwsCredentialOptions {
  /** `AWS_…` variables, such as `process.env`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly limits?: CallLimits;
}

/** Where containers of ECS and EKS get their role's credentials; plain http, on the way that never leaves the host. */
const CONTAINER_HOSTS = new Set(['169.254.170.2', '169.254.170.23', '[fd00:ec2::23]']);
const RENEW_BEFORE_MS = 300_000;
const ID = /^[A-Za-z0-9]{8,128}$/;
const TEXT = /^[\x21-\x7e]{1,8192}$/;

const forAWhile = z.object({
  AccessKeyId: z.string().regex(ID),
  SecretAccessKey: z.string().regex(TEXT),
  Token: z.string().regex(TEXT),
  Expiration: z.iso.datetime(),
});

/**
 * The credentials of the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`); without
 * them those of the container's role on ECS or EKS (`AWS_CONTAINER_CREDENTIALS_…`), got anew five minutes before
 * they end.
 * @throws RelayError `secret-missing` if there are neither, `secret-unusable`, `bad-reference`; calls throw
 * `key-service-failed` and `key-service-refused` besides
 */
export function awsCredentials(options: AwsCredentialOptions): AwsAccess['credentials'] {
  const { environment } = options;
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key, AWS_SESSION_TOKEN: session } = environment;
  if (id && key) {
    if (!ID.test(id) || !TEXT.test(key) || (session && !TEXT.test(session)))
      throw new RelayError('secret-unusable', 'the credentials of AWS in the environment are none');
    const lasting = credentialsOf(id, key, session ? session : null);
    return async () => lasting;
  }
  const url = containerUrl(environment);
  if (url === null) throw new RelayError('secret-missing', 'there are no credentials of AWS');
  return containerCredentials(options, url);
}

function containerCredentials(options: AwsCredentialOptions, url: URL): AwsAccess['credentials'] {
  const {
    environment,
    clock = { now: () => Date.now() },
    limits = CALL_LIMITS,
    random = nodeRandom,
  } = options;
  let known: { readonly credentials: AwsCredentials; readonly untilMs: number } | null = null;
  let asking: Promise<AwsCredentials> | null = null;

  async function ask(): Promise<AwsCredentials> {
    const authorization = await authorizationOf(environment);
    const headers: Record<string, string> = authorization === null ? {} : { authorization };
    const answer = await callService(url, { method: 'GET', headers }, limits.timeoutMs);
    if (answer.status !== 200) throw serviceRefused(`http-${answer.status}`);
    const parsed = forAWhile.safeParse(jsonOf(answer.body));
    if (!parsed.success) throw serviceFailed('garbage');
    const { AccessKeyId, SecretAccessKey, Token, Expiration } = parsed.data;
    const credentials = credentialsOf(AccessKeyId, SecretAccessKey, Token);
    known = { credentials, untilMs: Date.parse(Expiration) - RENEW_BEFORE_MS };
    return credentials;
  }

  return async () => {
    if (known !== null && clock.now() < known.untilMs) return known.credentials;
    asking ??= persist(limits, random, ask).finally(() => (asking = null));
    return asking;
  };
}

function containerUrl(environment: AwsCredentialOptions['environment']): URL | null {
  const relative = environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
  if (relative) return new URL(`http://169.254.170.2${relative.startsWith('/') ? '' : '/'}${relative}`);
  const full = environment['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  if (!full) return null;
  const url = URL.canParse(full) ? new URL(full) : null;
  if (url?.protocol === 'http:' && CONTAINER_HOSTS.has(url.hostname)) return url;
  return serviceAddress(full);
}

/** The file is read each time: it is replaced while the process lives. */
async function authorizationOf(environment: AwsCredentialOptions['environment']): Promise<string | null> {
  const file = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  const given = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN'];
  if (!file && !given) return null;
  const text = file
    ? await readFile(file, 'latin1').catch(() => {
        throw new RelayError('secret-missing', 'the token for the credentials of AWS cannot be read');
      })
    : (given as string);
  const token = text.replace(/\r?\n$/, '');
  if (!/^[\x20-\x7e]{1,16384}$/.test(token))
    throw new RelayError('secret-unusable', 'the token for the credentials of AWS is none');
  return token;
}

function credentialsOf(id: string, key: string, session: string | null): AwsCredentials {
  const secretOf = (text: string): Secret => Secret.own(encodeUtf8(text) as Uint8Array);
  return {
    accessKeyId: id,
    secretAccessKey: secretOf(key),
    sessionToken: session === null ? null : secretOf(session),
  };
}
