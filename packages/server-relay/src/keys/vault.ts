import { readFile } from 'node:fs/promises';
import type { Random } from '@keytide/crypto-core';
import { nodeRandom } from '@keytide/crypto-core/node';
import { z } from 'zod';
import { RelayError } from '../errors.ts';
import type { Log } from '../log-event.ts';
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

/** How a HashiCorp Vault (or OpenBao) is reached. */
export interface VaultOptions {
  /** Such as `https://vault.example:8200`. */
  readonly address: string;
  /** The file with the token, as Vault Agent keeps it. Read again when the token is refused, and at each renewal. */
  readonly tokenFile: string;
  readonly namespace?: string;
  readonly log?: Log;
  readonly random?: Random;
  readonly limits?: CallLimits;
  /** Calls `work` once after this time, unless what it answers is called first. Default: a timer that holds no process. */
  readonly after?: (ms: number, work: () => void) => () => void;
}

/** An open Vault. */
export interface Vault {
  /**
   * Asks, below `/v1/`. A refusal has the reason `http-STATUS`, or one of `REFUSALS`.
   * @throws RelayError `key-service-failed`, `key-service-refused`, `secret-missing`, `secret-unusable`
   */
  call(method: 'GET' | 'POST', path: string, request?: object): Promise<unknown>;
  /** Renews the token no more. */
  close(): void;
}

/** Refusals that callers tell apart, by what Vault's text holds. The text itself goes nowhere. */
const REFUSALS: readonly (readonly [part: string, reason: string])[] = [
  ['message authentication failed', 'does-not-open'],
  ['invalid ciphertext', 'does-not-open'],
  ['encryption key not found', 'no-such-key'],
  ['too old', 'version-too-old'],
];
const TOKEN = /^[\x21-\x7e]{1,8192}$/;
/** When a renewal fails, or the token cannot be renewed: another one may be in the file by then. */
const LOOK_AGAIN_MS = 30_000;
/** So that a token that lives long is still replaced soon after the file. */
const LONGEST_MS = 600_000;

const refusal = z.object({ errors: z.array(z.string()) });
const renewal = z.object({
  auth: z.object({ lease_duration: z.number().int().nonnegative(), renewable: z.boolean() }),
});

/**
 * Reads the token, renews it, and again each time when half of its time is over, until `close`. A token that cannot
 * be renewed is used as it is, and said so in the log (`vault-token`).
 * @throws RelayError as `call`, and `bad-reference` for an address that is none
 */
export async function openVault(options: VaultOptions): Promise<Vault> {
  const { limits = CALL_LIMITS, random = nodeRandom, after = unheldTimer, log } = options;
  const base = serviceAddress(options.address);
  let token = await readToken(options.tokenFile);
  let cancel: (() => void) | null = null;
  let isClosed = false;

  async function attempt(
    method: 'GET' | 'POST',
    path: string,
    request?: object,
    shown: string = token,
  ): Promise<unknown> {
    const url = new URL(`/v1/${path}`, base);
    const headers: Record<string, string> = { 'x-vault-token': shown, 'x-vault-request': 'true' };
    if (options.namespace !== undefined) headers['x-vault-namespace'] = options.namespace;
    if (request !== undefined) headers['content-type'] = 'application/json';
    const body = request === undefined ? {} : { body: Buffer.from(JSON.stringify(request)) };
    const answer = await callService(url, { method, headers, ...body }, limits.timeoutMs);
    if (answer.status === 200) return jsonOf(answer.body);
    throw serviceRefused(reasonOf(answer.status, answer.body));
  }

  /** A refused token is tried once more if there is another one in the file by now. */
  async function call(method: 'GET' | 'POST', path: string, request?: object): Promise<unknown> {
    const used = token;
    try {
      return await persist(limits, random, () => attempt(method, path, request));
    } catch (error) {
      if (!(error instanceof RelayError) || error.reason !== 'http-403') throw error;
      token = await readToken(options.tokenFile);
      if (token === used) throw error;
      return await persist(limits, random, () => attempt(method, path, request));
    }
  }

  /** Takes a token into use when Vault knows it; what is refused as none leaves the one before. */
  async function renewed(fresh: string): Promise<unknown> {
    const path = 'auth/token/renew-self';
    try {
      const answer = await persist(limits, random, () => attempt('POST', path, {}, fresh));
      token = fresh;
      return answer;
    } catch (error) {
      const { code, reason } = error instanceof RelayError ? error : {};
      if (code === 'key-service-refused' && reason !== 'http-403') token = fresh;
      throw error;
    }
  }

  async function renew(): Promise<void> {
    let waitMs = LOOK_AGAIN_MS;
    try {
      const fresh = await readToken(options.tokenFile);
      const parsed = renewal.safeParse(await renewed(fresh));
      if (!parsed.success) throw serviceFailed('garbage');
      const { lease_duration: seconds, renewable } = parsed.data.auth;
      log?.({ event: 'vault-token', renewable, seconds });
      if (renewable && seconds > 0) waitMs = Math.min(seconds * 500, LONGEST_MS);
    } catch (error) {
      const code = error instanceof RelayError ? error.code : 'key-service-failed';
      log?.({ event: 'failed', where: 'vault-token', code });
    }
    if (!isClosed) cancel = after(waitMs, () => void renew());
  }

  await renew();
  return {
    call,
    close() {
      isClosed = true;
      cancel?.();
    },
  };
}

async function readToken(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'latin1');
  } catch {
    throw new RelayError('secret-missing', 'the file with the token of Vault cannot be read');
  }
  const token = text.replace(/\r?\n$/, '');
  // Otherwise fetch would refuse it, and quote it.
  if (!TOKEN.test(token))
    throw new RelayError('secret-unusable', 'the file of the token holds no token of Vault');
  return token;
}

function reasonOf(status: number, body: Uint8Array): string {
  const parsed = refusal.safeParse(jsonOf(body));
  const texts = parsed.success ? parsed.data.errors : [];
  const known = REFUSALS.find(([part]) => texts.some((text) => text.includes(part)));
  return status === 400 && known !== undefined ? known[1] : `http-${status}`;
}

function unheldTimer(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms).unref();
  return () => clearTimeout(timer);
}
