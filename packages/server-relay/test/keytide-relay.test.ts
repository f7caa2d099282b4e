import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, appendOf } from './group.ts';
import { greet } from './line.ts';
import { call, settle, tokenOf } from './relay-under-test.ts';

const PROGRAM = fileURLToPath(new URL('../bin/keytide-relay.js', import.meta.url));

type Event = Readonly<Record<string, string>>;

let folder: string;
let config: string;
/** A session of the first test. */
let before = { org: '', token: '' };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-service-'));
  config = join(folder, 'config.json');
  const keys = { dataFolder: join(folder, 'data'), port: 0, managementPort: 0, drainSeconds: 0 };
  await writeFile(config, JSON.stringify(keys));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

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

  async seen(name: string): Promise<Event> {
    for (;;) {
      const event = this.#events.find((one) => one['event'] === name);
      if (event !== undefined) return event;
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#look = resolve;
        }),
        this.ended.then((code) => {
          if (!this.#events.some((one) => one['event'] === name)) throw new Error(`${code} before ${name}`);
        }),
      ]);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }
}

test('the service from its first start to SIGTERM', async () => {
  const key = join(folder, 'wrapping-key');
  await writeFile(key, new Uint8Array(32).fill(7), { mode: 0o600 });
  const service = new Service({
    KEYTIDE_RELAY_PUBLIC_URL: 'https://relay.example',
    KEYTIDE_RELAY_WRAPPING_KEYS: `file:${key}`,
    KEYTIDE_RELAY_WEB_PUSH_KEY: 'env:VAPID',
    KEYTIDE_RELAY_WEB_PUSH_SUBJECT: 'mailto:operator@relay.example',
    VAPID: Buffer.alloc(32, 7).toString('base64url'),
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
  }
}, 120_000);

test('who keeps the relay from finishing does so until shutdownSeconds are over', async () => {
  const service = new Service({
    KEYTIDE_RELAY_SHUTDOWN_SECONDS: '1',
    KEYTIDE_RELAY_WRAPPING_KEYS: `file:${join(folder, 'wrapping-key')}`,
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
