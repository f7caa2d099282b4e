import { encodeUtf8, Secret } from '@keytide/crypto-core';
import type { TestS3 } from '@keytide/testkit';
import type { S3DestinationOptions } from '../../src/node.ts';

/** As `s3` knows its caller, and without waiting. */
export function optionsOf(s3: TestS3, changes: Partial<S3DestinationOptions> = {}): S3DestinationOptions {
  const { accessKeyId, secretAccessKey } = s3.caller();
  const secret = Secret.own(encodeUtf8(secretAccessKey) as Uint8Array);
  return {
    ...{ bucket: s3.bucket, region: s3.region, endpoint: s3.url, prefix: 'archives/a' },
    credentials: async () => ({ accessKeyId, secretAccessKey: secret, sessionToken: null }),
    clock: { now: () => Date.now(), pause: async () => {} },
    limits: { idleMs: 2000, attempts: 3, pauseMs: 1 },
    ...changes,
  };
}
