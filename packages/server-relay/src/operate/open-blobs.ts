import { encodeUtf8, Secret } from '@keytide/crypto-core';
import { awsCredentials } from '../keys/aws-credentials.ts';
import { s3Bucket, type S3Access, type S3Bucket } from '../keys/s3-bucket.ts';
import type { AwsCredentials } from '@keytide/crypto-core/node';
import type { Config } from './config-schema.ts';
import { readConfigSecrets, type Environment } from './config-secrets.ts';

/**
 * The bucket in which a configuration keeps attachments; `null` for files.
 * @throws RelayError `bad-reference`, `secret-missing`, `secret-unusable`, `key-service-failed`, `key-service-refused`
 */
export async function openBucket(config: Config, environment: Environment): Promise<S3Bucket | null> {
  const { s3Bucket: bucket, s3Region: region = 'us-east-1', s3Endpoint: endpoint, s3PathStyle } = config;
  if (bucket === undefined) return null;
  return s3Bucket({
    bucket,
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(s3PathStyle === undefined ? {} : { pathStyle: s3PathStyle }),
    credentials: await credentialsOf(config, environment),
  });
}

async function credentialsOf(config: Config, environment: Environment): Promise<S3Access['credentials']> {
  const { s3AccessKeyId: accessKeyId } = config;
  const key = (await readConfigSecrets(config, ['s3SecretKey'], environment)).get('s3SecretKey');
  if (accessKeyId === undefined || key === undefined) return awsCredentials({ environment });
  const secretAccessKey = Secret.own(encodeUtf8(key) as Uint8Array);
  const credentials: AwsCredentials = { accessKeyId, secretAccessKey, sessionToken: null };
  return async () => credentials;
}
