import { s3Destination, type ObjectLock } from '@keytide/archive/node';
import type { Destination } from '@keytide/archive';
import { usageError } from './usage.ts';

const ADDRESS = /^s3:\/\/([^/]+)(?:\/(.*?))?\/?$/;

/**
 * The place in a bucket that `s3://BUCKET/PREFIX` names, with what the `AWS_…` variables say; `null` for what names none.
 * @throws CliError `usage`; ArchiveError `bad-address`; RelayError `secret-missing`, `secret-unusable`
 */
export async function bucketAt(place: string, objectLock?: ObjectLock): Promise<Destination | null> {
  if (!place.startsWith('s3://')) return null;
  const [, bucket, prefix = ''] = ADDRESS.exec(place) ?? [];
  if (bucket === undefined) throw usageError('no bucket is named', 'Give it as s3://BUCKET/PLACE.');
  const { env } = process;
  const endpoint = env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'];
  // Only now: no other command should wait until all of a relay is loaded.
  const { awsCredentials } = await import('@keytide/server-relay');
  return s3Destination({
    ...{ bucket, prefix, region: env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || 'us-east-1' },
    ...(endpoint ? { endpoint } : {}),
    ...(objectLock === undefined ? {} : { objectLock }),
    credentials: awsCredentials({ environment: env }),
  });
}
