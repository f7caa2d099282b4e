import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { startKeyService, type KeyService, type ServiceCall, type ServiceReply } from './key-service.ts';
import { refusedSignature, type AwsCaller } from './sigv4-check.ts';

/** AWS KMS and Secrets Manager of one region on this machine: their wire protocol, signatures checked. */
export interface TestAws extends KeyService {
  /** Who may call now. */
  caller(): AwsCaller;
  /** The role's credentials, for containers: at `/role`, for whoever shows `roleToken`. */
  readonly roleToken: string;
  /** Gives the role other credentials until then; those before are refused. */
  changeCaller(untilMs: number): void;
  readonly region: string;
  /** A key that encrypts and decrypts. */
  readonly keyArn: string;
  /** Another one of the same account. */
  readonly otherKeyArn: string;
  /** Every further call that is signed right is refused with this error, until `null`. */
  refuse(error: string | null): void;
  /** Every further answer of KMS names this key as the one that was used, until `null`. */
  nameKey(arn: string | null): void;
  /** Sets a secret; `null` takes it away. */
  setSecret(name: string, value: string | Uint8Array | null): void;
}

/** How to start one. */
export interface TestAwsOptions {
  readonly now: () => number;
  readonly sessionToken?: string;
}

interface KmsRequest {
  readonly KeyId?: string;
  readonly Plaintext?: string;
  readonly CiphertextBlob?: string;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
}

const REGION = 'eu-central-1';
const ACCOUNT = '111122223333';
const refused = (name: string): ServiceReply => ({
  status: 400,
  body: { __type: name, message: 'as you see' },
});
const given = (body: object): ServiceReply => ({ status: 200, body });

/** Starts one with two keys, no secrets and one caller. */
export async function startTestAws({ now, sessionToken }: TestAwsOptions): Promise<TestAws> {
  const roleToken = randomBytes(24).toString('base64');
  let caller: AwsCaller = callerOf('AKIDTESTKIT', sessionToken);
  let untilMs = now() + 3_600_000;
  const ids = ['1234abcd-12ab-34cd-56ef-1234567890ab', 'mrk-1234abcd12ab34cd56ef1234567890ab'];
  const arns = ids.map((id) => `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`);
  const keys = new Map(arns.map((arn) => [arn, randomBytes(32)] as const));
  const secrets = new Map<string, string | Uint8Array>();
  let refusal: string | null = null;
  let named: string | null = null;

  function answer(call: ServiceCall): ServiceReply {
    if (call.path === '/role') return roleOf(call);
    const target = call.headers['x-amz-target'] ?? '';
    const service = target.startsWith('TrentService.') ? 'kms' : 'secretsmanager';
    if (
      call.method !== 'POST' ||
      call.path !== '/' ||
      call.headers['content-type'] !== 'application/x-amz-json-1.1'
    )
      return { status: 404, body: { __type: 'UnknownOperationException' } };
    const wrong = refusedSignature(call, caller, { region: REGION, service, nowMs: now() });
    if (wrong !== null) return refused(wrong);
    if (refusal !== null) return refused(refusal);
    const request = JSON.parse(call.body.toString()) as KmsRequest & { readonly SecretId?: string };
    if (service === 'kms') {
      const { status, body } = (target.endsWith('.Encrypt') ? encrypt : decrypt)(keys, request);
      return { status, body: named === null ? body : { ...(body as object), KeyId: named } };
    }
    if (target !== 'secretsmanager.GetSecretValue') return refused('UnknownOperationException');
    const value = secrets.get(request.SecretId ?? '');
    if (value === undefined) return refused('ResourceNotFoundException');
    const content =
      typeof value === 'string'
        ? { SecretString: value }
        : { SecretBinary: Buffer.from(value).toString('base64') };
    return given({ Name: request.SecretId, VersionStages: ['AWSCURRENT'], ...content });
  }

  function roleOf({ method, headers }: ServiceCall): ServiceReply {
    if (method !== 'GET' || headers['authorization'] !== roleToken) return { status: 403, body: {} };
    const Expiration = new Date(untilMs).toISOString();
    const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token } = caller;
    return given({
      AccessKeyId,
      SecretAccessKey,
      Token,
      Expiration,
      RoleArn: 'arn:aws:iam::111122223333:role/r',
    });
  }

  const service = await startKeyService(answer, refused('ThrottlingException'));
  return {
    ...service,
    caller: () => caller,
    roleToken,
    changeCaller(until) {
      untilMs = until;
      caller = callerOf(
        `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
        randomBytes(40).toString('base64'),
      );
    },
    region: REGION,
    keyArn: arns[0] as string,
    otherKeyArn: arns[1] as string,
    nameKey: (arn) => void (named = arn),
    refuse: (error) => void (refusal = error),
    setSecret: (name, value) => void (value === null ? secrets.delete(name) : secrets.set(name, value)),
  };
}

function callerOf(accessKeyId: string, sessionToken: string | undefined): AwsCaller {
  const secretAccessKey = randomBytes(30).toString('base64');
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/** Blob = the key's id [100, padded] ‖ nonce [12] ‖ AES-256-GCM ‖ tag [16], bound to the sorted context. */
function encrypt(keys: ReadonlyMap<string, Buffer>, request: KmsRequest): ServiceReply {
  const arn = request.KeyId ?? '';
  const key = keys.get(arn);
  if (key === undefined) return refused('NotFoundException');
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(boundTo(request));
  const plaintext = Buffer.from(request.Plaintext ?? '', 'base64');
  const blob = [
    Buffer.from(arn.padEnd(100)),
    nonce,
    cipher.update(plaintext),
    cipher.final(),
    cipher.getAuthTag(),
  ];
  return given({
    CiphertextBlob: Buffer.concat(blob).toString('base64'),
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    KeyId: arn,
  });
}

function decrypt(keys: ReadonlyMap<string, Buffer>, request: KmsRequest): ServiceReply {
  const blob = Buffer.from(request.CiphertextBlob ?? '', 'base64');
  if (blob.length === 0 || blob.length > 6144) return refused('ValidationException');
  const arn = blob.subarray(0, 100).toString().trimEnd();
  const key = keys.get(arn);
  if (key === undefined || blob.length < 128) return refused('InvalidCiphertextException');
  if (request.KeyId !== undefined && request.KeyId !== arn) return refused('IncorrectKeyException');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, blob.subarray(100, 112)).setAAD(boundTo(request));
    decipher.setAuthTag(blob.subarray(-16));
    const plaintext = Buffer.concat([decipher.update(blob.subarray(112, -16)), decipher.final()]);
    const Plaintext = plaintext.toString('base64');
    return given({ Plaintext, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT', KeyId: arn });
  } catch {
    return refused('InvalidCiphertextException');
  }
}

function boundTo({ EncryptionContext = {} }: KmsRequest): Buffer {
  return Buffer.from(JSON.stringify(Object.entries(EncryptionContext).toSorted()));
}
