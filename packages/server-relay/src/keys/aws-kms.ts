import { CryptoError, toBase64Url } from '@keytide/crypto-core';
import { z } from 'zod';
import { RelayError } from '../errors.ts';
import type { KeyWrapper } from '../key-wrapper.ts';
import { awsService, type AwsAccess } from './aws-service.ts';
import { fromBase64, toBase64 } from './base64.ts';
import { serviceFailed } from './service-call.ts';

/** A key of AWS KMS that wraps data keys. */
export interface AwsKmsOptions extends AwsAccess {
  /** `arn:aws:kms:REGION:ACCOUNT:key/ID`. Not an alias: that may be another key tomorrow. */
  readonly keyArn: string;
}

const ARN = /^arn:aws(?:-[a-z-]+)?:kms:([a-z0-9-]+):\d{12}:key\/([0-9a-f-]{36}|mrk-[0-9a-f]{32})$/;
const DATA_KEY_BYTES = 32;
const WRAPPED_BYTES = 6144;
/** What says that these bytes are not what this key made for this context. */
const DOES_NOT_OPEN = new Set(['InvalidCiphertextException', 'IncorrectKeyException']);

const encrypted = z.object({ CiphertextBlob: z.string().max(8192), KeyId: z.string() });
const decrypted = z.object({ Plaintext: z.string().max(64), KeyId: z.string() });

/**
 * Wraps in AWS KMS (Encrypt, Decrypt), the context being the encryption context `keytide`. Its account may read
 * that in CloudTrail: the organisation's id and which key it is. Rotation inside KMS needs nothing here.
 * @throws RelayError `bad-reference` for another ARN. Calls throw `key-service-failed` and `key-service-refused`
 */
export function awsKmsKeyWrapper(options: AwsKmsOptions): KeyWrapper {
  const [, region, id] = ARN.exec(options.keyArn) ?? [];
  if (region === undefined || id === undefined)
    throw new RelayError('bad-reference', 'not the ARN of a KMS key');
  const keyName = `aws-kms:${id}`;
  const kms = awsService(options, 'kms', region);
  const question = (context: Uint8Array): object => ({
    KeyId: options.keyArn,
    EncryptionContext: { keytide: toBase64Url(context) },
  });

  /** What another key did is not what was asked for. */
  function checked<T extends { readonly KeyId: string }>(schema: z.ZodType<T>, answer: unknown): T {
    const parsed = schema.safeParse(answer);
    if (!parsed.success || parsed.data.KeyId !== options.keyArn) throw serviceFailed('garbage');
    return parsed.data;
  }

  return {
    keyName,
    unwraps: (name) => name === keyName,
    async wrap(dataKey, context) {
      const request = { ...question(context), Plaintext: toBase64(dataKey) };
      const { CiphertextBlob } = checked(encrypted, await kms('TrentService.Encrypt', request));
      const wrapped = fromBase64(CiphertextBlob);
      if (wrapped === null || wrapped.length <= dataKey.length) throw serviceFailed('garbage');
      return wrapped;
    },
    async unwrap(name, wrapped, context) {
      if (name !== keyName) throw new RelayError('data-key-missing', 'wrapped by a key that is not here');
      // KMS calls that a mistake in the request.
      if (wrapped.length === 0 || wrapped.length > WRAPPED_BYTES) throw doesNotOpen();
      const request = { ...question(context), CiphertextBlob: toBase64(wrapped) };
      const answer = await inCryptoTerms(kms('TrentService.Decrypt', request));
      const dataKey = fromBase64(checked(decrypted, answer).Plaintext);
      if (dataKey?.length !== DATA_KEY_BYTES) throw serviceFailed('garbage');
      return dataKey;
    },
  };
}

async function inCryptoTerms(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof RelayError && DOES_NOT_OPEN.has(error.reason ?? '') ? doesNotOpen() : error;
  }
}

function doesNotOpen(): CryptoError {
  return new CryptoError('decryption-failed', 'the wrapped key does not open');
}
