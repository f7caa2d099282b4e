import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { startKeyService, type KeyService, type ServiceCall, type ServiceReply } from './key-service.ts';

/** Vault's transit and KV 2 engines on this machine: their wire protocol, tokens and namespaces checked. */
export interface TestVault extends KeyService {
  /** The token that is good at first. */
  readonly token: string;
  /** Makes another token the only good one. */
  setToken(token: string): void;
  /** How long a renewed token lives, and whether it can be renewed. */
  setLease(seconds: number, renewable: boolean): void;
  /** Makes a transit key with its first version. */
  addKey(name: string, options?: { readonly isDerived: boolean }): void;
  /** Adds a version to a transit key. */
  rotateKey(name: string): void;
  /** The oldest version that still decrypts. */
  setOldest(name: string, version: number): void;
  /** Sets the fields of a secret below `secret/`; `null` takes it away. */
  setSecret(path: string, fields: Readonly<Record<string, unknown>> | null): void;
}

/** How to start one. */
export interface TestVaultOptions {
  /** Without it, only calls that name none are answered. */
  readonly namespace?: string;
  /** Takes what it does not know and does nothing about it: associated data (new in 1.13), the version that encrypts. */
  readonly isOld?: boolean;
}

interface TransitKey {
  readonly versions: Buffer[];
  readonly isDerived: boolean;
  oldest: number;
}

interface TransitRequest {
  readonly plaintext?: string;
  readonly ciphertext?: string;
  readonly context?: string;
  readonly associated_data?: string;
  readonly key_version?: number;
}

const refused = (status: number, ...errors: string[]): ServiceReply => ({ status, body: { errors } });
const given = (data: object): ServiceReply => ({ status: 200, body: { request_id: 'none', data } });

/** Starts one without keys or secrets. */
export async function startTestVault(options: TestVaultOptions = {}): Promise<TestVault> {
  const first = `hvs.${randomBytes(24).toString('base64url')}`;
  const keys = new Map<string, TransitKey>();
  const secrets = new Map<string, object>();
  let token = first;
  let lease = { lease_duration: 2_764_800, renewable: true };

  function answer({ method, path, headers, body }: ServiceCall): ServiceReply {
    if (headers['x-vault-request'] !== 'true' || headers['x-vault-namespace'] !== options.namespace)
      return refused(404);
    if (headers['x-vault-token'] !== token) return refused(403, 'permission denied');
    if (method === 'POST' && path === '/v1/auth/token/renew-self')
      return lease.renewable
        ? { status: 200, body: { auth: { client_token: token, ...lease } } }
        : refused(400, 'lease is not renewable');
    if (method === 'GET' && path.startsWith('/v1/secret/data/')) {
      const data = secrets.get(decodeURIComponent(path.slice(16)));
      return data === undefined ? refused(404) : given({ data, metadata: { version: 1 } });
    }
    const [, verb, name = ''] = /^\/v1\/transit\/(encrypt|decrypt)\/([^/]+)$/.exec(path) ?? [];
    if (method !== 'POST' || verb === undefined) return refused(404, 'no handler for route');
    const key = keys.get(name);
    if (key === undefined) return refused(400, 'encryption key not found');
    const { key_version, ...request } = JSON.parse(body.toString()) as TransitRequest;
    const version = (options.isOld === true ? undefined : key_version) ?? key.versions.length;
    if (key.isDerived && !request.context) return refused(400, "missing 'context' for key derivation");
    const bound = options.isOld === true ? {} : { bound: request.associated_data ?? '' };
    return verb === 'encrypt'
      ? encrypt(key, version, { ...request, ...bound })
      : decrypt(key, request, bound);
  }

  const service = await startKeyService(answer, refused(429, 'request path rate limit quota exceeded'));
  return {
    ...service,
    token: first,
    setToken: (next) => void (token = next),
    setLease: (seconds, renewable) => void (lease = { lease_duration: seconds, renewable }),
    addKey: (name, { isDerived } = { isDerived: false }) =>
      void keys.set(name, { versions: [randomBytes(32)], isDerived, oldest: 1 }),
    rotateKey: (name) => void keys.get(name)?.versions.push(randomBytes(32)),
    setOldest(name, version) {
      const key = keys.get(name);
      if (key !== undefined) key.oldest = version;
    },
    setSecret: (path, fields) => void (fields === null ? secrets.delete(path) : secrets.set(path, fields)),
  };
}

/** `vault:vN:` and the base64 of nonce [12] ‖ AES-256-GCM ‖ tag [16]. */
function encrypt(
  key: TransitKey,
  version: number,
  { bound, ...request }: TransitRequest & { readonly bound?: string },
): ServiceReply {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keyOf(key, version, request), nonce);
  if (bound !== undefined) cipher.setAAD(Buffer.from(bound, 'base64'));
  const plaintext = Buffer.from(request.plaintext ?? '', 'base64');
  const sealed = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return given({ ciphertext: `vault:v${version}:${sealed.toString('base64')}`, key_version: version });
}

function decrypt(key: TransitKey, request: TransitRequest, { bound }: { bound?: string }): ServiceReply {
  const [, digits, text = ''] = /^vault:v(\d+):(.*)$/.exec(request.ciphertext ?? '') ?? [];
  const version = Number(digits);
  const sealed = Buffer.from(text, 'base64');
  if (!(version <= key.versions.length) || sealed.length < 28)
    return refused(400, 'invalid ciphertext: unable to decrypt');
  if (version < key.oldest)
    return refused(400, 'ciphertext or signature version is disallowed by policy (too old)');
  try {
    const decipher = createDecipheriv('aes-256-gcm', keyOf(key, version, request), sealed.subarray(0, 12));
    if (bound !== undefined) decipher.setAAD(Buffer.from(bound, 'base64'));
    decipher.setAuthTag(sealed.subarray(-16));
    const plaintext = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
    return given({ plaintext: plaintext.toString('base64') });
  } catch {
    return refused(400, 'cipher: message authentication failed');
  }
}

function keyOf(key: TransitKey, version: number, { context = '' }: TransitRequest): Buffer {
  const material = key.versions[version - 1] as Buffer;
  if (!key.isDerived) return material;
  return Buffer.from(hkdfSync('sha256', material, '', Buffer.from(context, 'base64'), 32));
}
