import { equalBytes, toHex, type Random } from '@keytide/crypto-core';
import { serviceRefused } from './service-call.ts';
import type { S3Bucket } from './s3-bucket.ts';

/**
 * Writes an object, reads it and deletes it: that the bucket is there, may be used, hears conditions, and forgets.
 * @throws RelayError `key-service-refused` with the reason `versioned` (what is deleted stays), `no-conditions`,
 * `damaged`, or as calls of the bucket; `key-service-failed`
 */
export async function checkS3Bucket(bucket: S3Bucket, random: Random): Promise<void> {
  const [key, bytes] = [`keytide-check/${toHex(random(16))}`, random(32)];
  const put = await bucket.put(key, bytes, 'absent');
  try {
    if (put === null || (await bucket.put(key, bytes, 'absent')) !== null)
      throw serviceRefused('no-conditions');
    const there = await bucket.get(key);
    if (there === null || !equalBytes(there.bytes, bytes)) throw serviceRefused('damaged');
    if ((await bucket.put(key, bytes, { tag: there.tag })) === null) throw serviceRefused('no-conditions');
  } finally {
    await bucket.delete(key);
  }
  if ((await bucket.list('keytide-check/')).includes(key)) throw serviceRefused('damaged');
  if (put.keepsVersions) throw serviceRefused('versioned');
}
