import { readFile, stat } from 'node:fs/promises';
import { decodeUtf8, encodeUtf8, Secret } from '@keytide/crypto-core';
import { z } from 'zod';
import { RelayError } from '../errors.ts';
import { awsService, type AwsAccess } from './aws-service.ts';
import { fromBase64 } from './base64.ts';
import { jsonOf, serviceFailed } from './service-call.ts';
import type { Vault } from './vault.ts';

/**
 * Reads a secret by its reference, from its source each time. At most 64 KiB; the caller's to dispose.
 *
 *     file:/run/secrets/database-url
 *     env:DATABASE_URL
 *     aws-secret:NAME  or  aws-secret:arn:aws:secretsmanager:…   with #FIELD of its JSON, if it is JSON
 *     vault:MOUNT/PATH#FIELD                                     of the KV 2 engine
 *
 * @throws RelayError `bad-reference`, `secret-missing`, `secret-unusable`, `key-service-failed`,
 * `key-service-refused`; no message repeats the reference, for it may be a secret in the wrong place
 */
export type ReadSecret = (reference: string) => Promise<Secret>;

/** Where secrets may come from. A reference to a source that is not here is a `bad-reference`. */
export interface SecretSources {
  /** Such as `process.env`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly aws?: AwsAccess & {
    /** Of names without a region in them. */
    readonly region?: string;
  };
  readonly vault?: Vault;
}

const SECRET_BYTES = 65_536;
/** Who may write a secret may replace it. Who may read it is for the one who mounts it to say. */
const WRITABLE_FOR_OTHERS = 0o022;
const SECRET_ARN = /^arn:aws(?:-[a-z-]+)?:secretsmanager:([a-z0-9-]+):\d{12}:secret:[A-Za-z0-9/_+=.@-]+$/;
const SECRET_NAME = /^[A-Za-z0-9/_+=.@-]{1,512}$/;
const VAULT_PATH = /^([A-Za-z0-9_-]+)\/([A-Za-z0-9_-][A-Za-z0-9_.-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*)$/;
const FIELD = /^[A-Za-z0-9_.-]{1,128}$/;

const ofManager = z.union([z.object({ SecretString: z.string() }), z.object({ SecretBinary: z.string() })]);
const ofVault = z.object({ data: z.object({ data: z.record(z.string(), z.unknown()) }) });

/** Reads from these sources. */
export function secretReader(sources: SecretSources): ReadSecret {
  async function read(kind: string, rest: string): Promise<Uint8Array> {
    if (kind === 'file') return readFileSecret(rest);
    if (kind === 'env') return readVariable(sources, rest);
    const [name, field] = fieldOf(rest);
    if (kind === 'aws-secret') return readManager(sources, name, field);
    if (kind === 'vault') return readVault(sources, name, field);
    throw badReference();
  }

  return async (reference) => {
    const at = reference.indexOf(':');
    const [kind, rest] = [reference.slice(0, at), reference.slice(at + 1)];
    if (at < 0 || rest === '') throw badReference();
    const bytes = await read(kind, rest);
    if (bytes.length === 0) throw new RelayError('secret-missing', 'the secret is empty');
    if (bytes.length > SECRET_BYTES) throw new RelayError('secret-unusable', 'a secret has 64 KiB at most');
    return Secret.own(bytes);
  };
}

/**
 * A secret as text, without one line end behind it, which editors leave in files. The secret is disposed.
 * @throws RelayError `secret-unusable` if it is no UTF-8
 */
export function secretText(secret: Secret): string {
  const text = secret.use(decodeUtf8);
  secret.dispose();
  if (text === null) throw new RelayError('secret-unusable', 'the secret is no text');
  return text.replace(/\r?\n$/, '');
}

async function readFileSecret(path: string): Promise<Uint8Array> {
  try {
    const { mode, size } = await stat(path);
    if (process.platform !== 'win32' && (mode & WRITABLE_FOR_OTHERS) !== 0)
      throw new RelayError('secret-unusable', 'the file of a secret is writable for others: chmod go-w');
    if (size > SECRET_BYTES) throw new RelayError('secret-unusable', 'a secret has 64 KiB at most');
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (error instanceof RelayError) throw error;
    throw new RelayError('secret-missing', 'the file of a secret cannot be read');
  }
}

async function readVariable({ environment }: SecretSources, name: string): Promise<Uint8Array> {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw badReference();
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
  if (value === undefined) throw new RelayError('secret-missing', 'the variable of a secret is not set');
  return bytesOf(value);
}

async function readManager({ aws }: SecretSources, name: string, field: string | null): Promise<Uint8Array> {
  const region = SECRET_ARN.exec(name)?.[1] ?? (SECRET_NAME.test(name) ? aws?.region : undefined);
  if (aws === undefined || region === undefined) throw badReference();
  const manager = awsService(aws, 'secretsmanager', region);
  const answer = await missing('ResourceNotFoundException', () =>
    manager('secretsmanager.GetSecretValue', { SecretId: name }),
  );
  const parsed = ofManager.safeParse(answer);
  if (!parsed.success) throw serviceFailed('garbage');
  if ('SecretString' in parsed.data) {
    const bytes = bytesOf(parsed.data.SecretString);
    return field === null ? bytes : fieldIn(jsonOf(bytes), field);
  }
  const bytes = fromBase64(parsed.data.SecretBinary);
  if (bytes === null) throw serviceFailed('garbage');
  return field === null ? bytes : fieldIn(jsonOf(bytes), field);
}

async function readVault({ vault }: SecretSources, name: string, field: string | null): Promise<Uint8Array> {
  const [, mount, path] = VAULT_PATH.exec(name) ?? [];
  if (vault === undefined || mount === undefined || path === undefined || field === null)
    throw badReference();
  const answer = await missing('http-404', () => vault.call('GET', `${mount}/data/${path}`));
  const parsed = ofVault.safeParse(answer);
  if (!parsed.success) throw serviceFailed('garbage');
  return fieldIn(parsed.data.data.data, field);
}

function fieldOf(rest: string): [name: string, field: string | null] {
  const at = rest.indexOf('#');
  if (at < 0) return [rest, null];
  const field = rest.slice(at + 1);
  if (!FIELD.test(field)) throw badReference();
  return [rest.slice(0, at), field];
}

function fieldIn(value: unknown, field: string): Uint8Array {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field))
    throw new RelayError('secret-missing', 'the secret has no such field');
  const text = (value as Record<string, unknown>)[field];
  if (typeof text !== 'string') throw new RelayError('secret-unusable', 'the field of a secret is no text');
  return bytesOf(text);
}

async function missing(reason: string, ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof RelayError && error.reason === reason)
      throw new RelayError('secret-missing', 'there is no such secret');
    throw error;
  }
}

function bytesOf(text: string): Uint8Array {
  const bytes = encodeUtf8(text);
  if (bytes === null) throw new RelayError('secret-unusable', 'the secret is no text');
  return bytes;
}

function badReference(): RelayError {
  return new RelayError('bad-reference', 'not a reference to a secret that can be read here');
}
