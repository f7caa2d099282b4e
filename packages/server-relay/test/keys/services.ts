import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { encodeUtf8, Secret } from '@keytide/crypto-core';
import type { AwsAccess, CallLimits } from '@keytide/server-relay';
import type { ServiceFault, TestAws } from '@keytide/testkit';
import { expect } from 'vitest';

/** Patience of tests: failures come at once, and answers of this machine in time. */
export const limits: CallLimits = { timeoutMs: 1000, attempts: 3, pauseMs: 1 };
/** For calls that are never answered. */
export const impatient: CallLimits = { timeoutMs: 60, attempts: 2, pauseMs: 1 };

export const secret = (text: string): Secret => Secret.own(encodeUtf8(text) as Uint8Array);

/** As `aws` knows its caller. */
export function accessTo(aws: TestAws, changes: Partial<AwsAccess> = {}): AwsAccess {
  const { accessKeyId, secretAccessKey, sessionToken } = aws.caller();
  return {
    credentials: async () => ({
      accessKeyId,
      secretAccessKey: secret(secretAccessKey),
      sessionToken: sessionToken === undefined ? null : secret(sessionToken),
    }),
    endpoint: aws.url,
    limits,
    ...changes,
  };
}

/** A folder with one file, and what removes it. */
export async function fileWith(
  content: string | Uint8Array,
): Promise<{ path: string; write(content: string): Promise<void>; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-keys-'));
  const path = join(folder, 'file');
  await writeFile(path, content, { mode: 0o600 });
  return {
    path,
    write: (next) => writeFile(path, next),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Faults that may pass, and the reasons that name them. */
export const PASSING: readonly (readonly [ServiceFault, string])[] = [
  ['broken', 'http-500'],
  ['cut', 'unreachable'],
  ['endless', 'unreachable'],
];

/** The error of a call, which must fail and show none of these secrets anywhere. */
export async function failureOf(
  call: Promise<unknown>,
  secrets: readonly string[],
): Promise<{ code: string; reason: string | null }> {
  const error = await call.then(
    () => expect.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  const shown = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) + String(error);
  for (const one of secrets) expect(shown).not.toContain(one);
  const { code, reason = null } = error as { code: string; reason?: string | null };
  return { code, reason };
}
