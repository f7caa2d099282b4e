import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { seededWorld, startTestS3, startTestVault, type TestVault } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, appendOf } from './group.ts';
import { greet } from './line.ts';
import { call, settle, tokenOf } from './relay-under-test.ts';

const PROGRAM = fileURLToPath(new URL('../bin/keytide-relay.js', import.meta.url));

type Event = Readonly<Record<string, string>>;

let folder: string;
let config: string;
let vault: TestVault;
/** A session of the first test. */
let before = { org: '', token: '' };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-service-'));
  config = join(folder, 'config.json');
  const keys = { dataFolder: join(folder, 'data'), port: 0, managementPort: 0, drainSeconds: 0 };
  await writeFile(config, JSON.stringify(keys));
});
afterAll(async () => {
  await vault.close();
  await rm(folder, { recursive: true, force: true });
});

/** Writes secrets into files. */
async function hold(secrets: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(secrets))
    await writeFile(join(folder, name), `${text}\n`, { mode: 0o600 });
}

const vapidOf = (byte: number): string => Buffer.alloc(32, byte).toString('base64url');
const keysInVault = () => ({
  KEYTIDE_RELAY_WRAPPING_KEYS: 'vault:transit/keytide',
  KEYTIDE_RELAY_VAULT_ADDRESS: vault.url,
  KEYTIDE_RELAY_VAULT_TOKEN_FILE: join(folder, 'vault-token'),
});

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...args], { env }, (error, stdout, stderr) =>
      resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

class Service {
  readonly #child: ChildProcess;
  readonly #events: Event[] = [];
  #look: () => void = () => undefined;
  readonly ended: Promise<number>;

  constructor(env: NodeJS.ProcessEnv = {}) {
    const args = [PROGRAM, 'serve', '--config', config];
    this.#child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.ended = once(this.#child, 'close').then(([code]) => code as number);
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.#events.push(JSON.parse(line) as Event);
      this.#look();
    });
  }

  /** The first event of this name, or the first that is about `what`, from the `from`th event on. */
  async seen(name: string, what?: string, from = 0): Promise<Event> {
    const isMeant = (one: Event): boolean =>
      one['event'] === name && (what === undefined || one['what'] === what);
    for (;;) {
      const event = this.#events.slice(from).find(isMeant);
      if (event !== undefined) return event;
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#look = resolve;
        }),
        this.ended.then((code) => {
          if (!this.#events.slice(from).some(isMeant)) throw new Error(`${code} before ${name}`);
        }),
      ]);
    }
  }

  get count(): number {
    return this.#events.length;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }
}

test('the service from its first start to SIGTERM', async () => {
  vault = await startTestVault();
  vault.addKey('keytide');
  const s3 = await startTestS3({ now: () => Date.now() });
  await hold({ 'vault-token': vault.token, vapid: vapidOf(7), s3: s3.caller().secretAccessKey });
  const service = new Service({
    ...keysInVault(),
    KEYTIDE_RELAY_PUBLIC_URL: 'https://relay.example',
    KEYTIDE_RELAY_WEB_PUSH_KEY: `file:${join(folder, 'vapid')}`,
    KEYTIDE_RELAY_WEB_PUSH_SUBJECT: 'mailto:operator@relay.example',
    KEYTIDE_RELAY_S3_BUCKET: s3.bucket,
    KEYTIDE_RELAY_S3_REGION: s3.region,
    KEYTIDE_RELAY_S3_ENDPOINT: s3.url,
    KEYTIDE_RELAY_S3_ACCESS_KEY_ID: s3.caller().accessKeyId,
    KEYTIDE_RELAY_S3_SECRET_KEY: `file:${join(folder, 's3')}`,
  });
  try {
    const { url: probes = '' } = await service.seen('management');
    const status = async (path: string): Promise<number> => (await fetch(probes + path)).status;
    // A start takes longer than to ask.
    expect([await status('/live'), await status('/startup'), await status('/ready')]).toEqual([
      200, 503, 503,
    ]);
    const { url = '', name = '' } = await service.seen('listening');
    expect(name).toBe('https://relay.example');
    // What wraps is what the configuration names.
    expect(existsSync(join(folder, 'data', 'data-key'))).toBe(false);
    await expect.poll(() => status('/startup')).toBe(200);
    expect([await status('/live'), await status('/ready'), await status('/nothing')]).toEqual([
      200, 200, 404,
    ]);

    const world = seededWorld({ seed: 'service', members: 1, startMs: Date.now() - 60_000 });
    const [device] = world.members[0].devices;
    const relay = { url, name };
    await settle(relay, world);
    const token = await tokenOf(relay, world.org, device);
    const offer = await call(relay, 'GET', `/organisations/${world.org}/push`, { token });
    expect(offer.body).toMatchObject({ kinds: ['web-push'] });
    const line = await greet(relay, token);
    line.send(await announceOf(world, device, 0));
    line.send(appendOf(world, 1, 3));
    for (let i = 0; i < 2; i += 1) await line.next('appended');
    const metrics = await (await fetch(`${probes}/metrics`)).text();
    expect(metrics).toContain('\nkeytide_relay_appends_total{outcome="stored"} 4\n');
    expect(metrics).toContain('\nkeytide_relay_connections 1\n');
    expect(metrics).toMatch(/^process_resident_memory_bytes \d+$/m);
    // The management port is not the public one, nor the other way round.
    expect((await fetch(`${url}/metrics`)).status).toBe(404);

    // Another process can look meanwhile, and sees who has the folder.
    const doctor = await run(['--config', config, 'doctor', '--json']);
    expect(doctor.exitCode).toBe(0);
    const findings = doctor.stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as Event);
    expect(findings.map(({ check, verdict }) => [check, verdict])).toContainEqual(['database', 'ok']);
    const stats = await run(['--config', config, 'stats']);
    expect([stats.exitCode, stats.stderr]).toEqual([1, expect.stringContaining(': data-folder-locked: ')]);

    // Secrets that were renewed count without a start; what cannot be used leaves those of before.
    const base = `/organisations/${world.org}`;
    const vapidKey = async () =>
      (await call(relay, 'GET', `${base}/push`, { token })).body as unknown as { vapidKey: string };
    const upload = async (id: string) => {
      const path = `${base}/blobs/${id.repeat(64)}`;
      await call(relay, 'POST', path, { token, body: { sizeBytes: 1 } });
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' };
      const body = Uint8Array.of(1);
      return (await fetch(`${url}/v1${path}?offset=0`, { method: 'PUT', headers, body })).status;
    };
    const first = await vapidKey();
    expect(await upload('a')).toBe(200);
    vault.setToken('hvs.another');
    s3.changeKey();
    expect(await upload('b')).toBe(503);
    await hold({ 'vault-token': 'hvs.another', vapid: vapidOf(8), s3: s3.caller().secretAccessKey });
    let from = service.count;
    service.signal('SIGHUP');
    for (const what of ['wrappingKeys', 's3SecretKey', 'push']) await service.seen('reloaded', what, from);
    const second = await vapidKey();
    expect(second).not.toEqual(first);
    expect(await upload('b')).toBe(200);
    await hold({ 'vault-token': 'hvs.wrong', vapid: 'none', s3: 'wrong' });
    from = service.count;
    service.signal('SIGHUP');
    for (const [what, code] of [
      ['wrappingKeys', 'key-service-refused'],
      ['s3SecretKey', 'key-service-refused'],
      ['push', 'secret-unusable'],
    ] as const)
      expect(await service.seen('failed', what, from)).toMatchObject({ where: 'reload', code });
    expect(await vapidKey()).toEqual(second);
    expect(await upload('c')).toBe(200);
    const body = { body: Buffer.of(0xa0).toString('base64url') };
    // Wrapped by the token of before, which is asked for the organisation's first data key now.
    expect((await call(relay, 'PUT', `${base}/data/members/shifts/a`, { token, body })).status).toBe(200);
    await hold({ 'vault-token': 'hvs.another' });

    const reason = once(line.socket, 'close').then(([code, text]) => [code, String(text)]);
    service.signal('SIGHUP');
    service.signal('SIGTERM');
    expect(await reason).toEqual([1001, 'resume']);
    expect(await service.ended).toBe(0);
    await service.seen('closing');
    const wrong = ['kill', 'device', world.org, device.id.slice(1), '--config', config];
    expect((await run(wrong)).exitCode).toBe(2);
    const strange = await run(['kill', 'organisation', device.id, '--config', config]);
    expect([strange.exitCode, strange.stderr]).toEqual([1, expect.stringContaining(': not-found: ')]);
    const killed = await run(['kill', 'device', world.org, device.id, '--config', config]);
    // The one that settled the organisation, and the one here.
    expect(JSON.parse(killed.stdout)).toEqual({ event: 'killed', of: 'device', sessions: 2 });
    for (const named of [['organisation', world.org], ['relay']]) {
      const again = await run(['kill', ...named, '--config', config]);
      expect(JSON.parse(again.stdout)).toEqual({ event: 'killed', of: named[0], sessions: 0 });
    }
    before = { org: world.org, token };
    const left = await run(['stats'], { KEYTIDE_RELAY_CONFIG: config });
    expect(JSON.parse(left.stdout)).toMatchObject({ organisations: 1, groups: 1, entriesEver: 4 });
    const migrated = await run(['migrate', '--config', config]);
    expect(JSON.parse(migrated.stdout)).toEqual({ event: 'migrated', applied: [] });
  } finally {
    service.signal('SIGKILL');
    await s3.close();
  }
}, 120_000);

test('who keeps the relay from finishing does so until shutdownSeconds are over', async () => {
  const service = new Service({
    KEYTIDE_RELAY_SHUTDOWN_SECONDS: '1',
    ...keysInVault(),
  });
  try {
    const { url = '', name = '' } = await service.seen('listening');
    // What was killed while nothing ran is over.
    const { org, token } = before;
    const read = await call({ url, name }, 'GET', `/organisations/${org}/log?from=0`, { token });
    expect([read.status, read.body.code]).toEqual([401, 'session-ended']);
    const headers = { 'content-type': 'application/json', 'content-length': 2, expect: '100-continue' };
    const post = request(`${url}/v1/organisations`, { method: 'POST', headers });
    post.on('error', () => undefined);
    post.write('{');
    await once(post, 'continue');
    const startMs = performance.now();
    service.signal('SIGTERM');
    expect(await service.ended).toBe(1);
    expect(performance.now() - startMs).toBeLessThan(30_000);
    expect(await service.seen('failed')).toMatchObject({ where: 'drain', code: 'too-late' });
  } finally {
    service.signal('SIGKILL');
  }
}, 120_000);

test('a configuration that is wrong ends with 2 and names keys, a start that fails with 1 and its code', async () => {
  const wrong = await run(['serve', '--config', config], { KEYTIDE_RELAY_PORT: 'hunter2' });
  expect(wrong.exitCode).toBe(2);
  expect(wrong.stderr).toContain('keytide-relay: config-invalid: port: ');
  expect(wrong.stderr).not.toContain('hunter2');
  expect((await run(['serv'])).exitCode).toBe(2);
  expect((await run(['--help'])).exitCode).toBe(0);
  const env = { KEYTIDE_RELAY_TLS_CERTIFICATE_FILE: '/nowhere', KEYTIDE_RELAY_TLS_KEY_FILE: '/nowhere' };
  const failed = await run(['serve', '--config', config], env);
  expect(failed.exitCode).toBe(1);
  expect(failed.stderr).toContain('keytide-relay: tls-unusable: ');
});
